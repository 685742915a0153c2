#!/usr/bin/env node
// In the repository rather than built, so that `npm ci` can link it before anything is built.
import { existsSync } from 'node:fs'

const main = new URL('../dist/main.js', import.meta.url)
if (existsSync(main)) await import(main.href)
else {
  console.error(
    'This copy of raypose has not been built yet.\nRun "npm run build" once, then the same command again.'
  )
  process.exitCode = 2
}
