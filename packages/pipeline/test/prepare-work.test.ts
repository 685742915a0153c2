import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { IDENTITY3 } from '@raypose/core'
import { afterAll, expect, it } from 'vitest'
import type { Located } from '../src/prepare/locate.js'
import { openWork } from '../src/prepare/work.js'

const root = await mkdtemp(join(tmpdir(), 'raypose-work-'))
afterAll(() => rm(root, { recursive: true }))

const located: Located = {
  lpsFromCt: IDENTITY3,
  isocenter: [1, 2, 3],
  agreeing: 20,
  landmarks: 23,
  residualMm: Number.NaN,
  verified: false,
  orientationsTried: 0
}

it('goes on from what was left, unless that is of another version or damaged: then it begins anew', async () => {
  const folder = join(root, 'work')
  const config = { ct: 'c7', steps: 600 }
  await (await openWork(folder, config)).saveLocated(located)
  expect((await openWork(folder, config)).located).toEqual(located)

  const file = join(folder, 'config.json')
  const text = await readFile(file, 'utf8')
  expect(JSON.parse(text).version).toMatch(/^\d+\./)
  await writeFile(file, text.replace(/"version": "[^"]*"/, '"version": "0.0.0"'))
  expect((await openWork(folder, config)).located).toBeUndefined()

  for (const damage of ['{"lpsFromCt":', '{"lpsFromCt": [1, 0]}', '[]']) {
    await writeFile(join(folder, 'located.json'), damage)
    const { located: none, training } = await openWork(folder, config)
    expect([none, training.seconds]).toEqual([undefined, 0])
    expect(await readdir(folder)).toEqual(['config.json'])
  }
})
