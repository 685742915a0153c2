import { execFileSync, spawnSync } from 'node:child_process'

/** Debian packages that some tests compare against or draw with; those tests skip, and say so, where they are absent. */
const ORACLES = [
  { command: 'plastimatch', package: 'plastimatch' },
  { command: 'chromium', package: 'chromium' },
  { command: 'dcmcjpeg', package: 'dcmtk' },
  { command: 'gdcmconv', package: 'libgdcm-tools' }
]

const has = (command: string) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0

/** Installs what is missing where that needs no question (Debian, root); says what will be skipped elsewhere. */
export default function setup(): void {
  const missing = ORACLES.filter(o => !has(o.command))
  if (missing.length === 0) return
  const names = missing.map(o => o.package)
  if (process.getuid?.() === 0 && has('apt-get')) {
    console.error(`Installing ${names.join(', ')} for the tests that compare with them …`)
    try {
      execFileSync('apt-get', ['update', '-qq'], { stdio: 'ignore' })
      execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], {
        stdio: 'ignore',
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
      })
    } catch {
      // Reported below: an oracle that cannot be had is not a failure of the project.
    }
  }
  for (const o of missing.filter(o => !has(o.command)))
    console.error(
      `${o.command} is not installed (apt-get install ${o.package}): the tests that need it are skipped.`
    )
}
