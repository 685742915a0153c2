import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { protocolFigures } from '../src/report/protocol-figures.js'
import { standaloneSvg } from '../src/report/protocol-plots.js'
import { protocolReport } from '../src/report/protocol-report.js'
import { protocolText } from '../src/report/protocol-text.js'
import { named } from '../src/work/protocol.js'
import { TINY_PNG } from './fixtures.js'
import { elementsOf, externalReferences } from './markup.js'
import { aProtocolReport } from './protocol-fixture.js'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
if (!CHROMIUM) console.warn('The report is not tested in a browser: there is no Chromium')

let input: Awaited<ReturnType<typeof aProtocolReport>>
let page: string
beforeAll(async () => {
  input = await aProtocolReport(['ABD_046', 'ABD_049', 'a <b> c'], 12, TINY_PNG)
  page = protocolReport(input)
})

describe('the report of a protocol', () => {
  it('is a well-formed page that stands alone', () => {
    const elements = elementsOf(page)
    expect(elements.filter(e => e === 'svg').length).toBe(protocolFigures(input).length)
    expect(elements).not.toContain('script')
    expect(externalReferences(page)).toEqual([])
    expect(page).not.toMatch(/NaN|undefined|\[object|Infinity/)
  })

  it('shows every figure that the issue asks for', () => {
    const names = protocolFigures(input).map(f => f.name)
    for (const name of [
      'poses',
      'initial-tre-by-patient',
      'initial-tre-by-angle',
      'initial-cameraTranslation-by-patient',
      'initial-cameraRotationDeg-by-patient',
      'outcome-1',
      'capture-range',
      'reliability-initial',
      'reliability-tre-above-2',
      'reliability-tre-above-10',
      'time'
    ])
      expect(names).toContain(name)
    for (const { figure } of protocolFigures(input)) {
      const svg = standaloneSvg(figure)
      expect(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg" ')).toBe(true)
      expect(svg).not.toContain('var(--')
    }
  })

  it('puts the published figures beside its own, over the same kind of views', () => {
    const text = page.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')
    expect(text).toContain('472 of 486 (97.1 %)')
    expect(text).toContain('15.0 ± 7.3')
    const { overall } = input.results.summary
    const ncc = overall.find(s => s.method === 'bobyqa-ncc')
    expect(text).toContain(`${ncc?.finalRates[0].count} of 36`)
    // A view without a pose is no success, but counts among the views.
    expect(overall[0].views).toBe(36)
    expect(overall[0].poses).toBe(35)
    expect(overall[0].finalRates[0].of).toBe(36)
  })

  it('tells the terminal the same', () => {
    const text = protocolText(input.results, input.comparison)
    expect(text).not.toMatch(/NaN|undefined|\[object/)
    expect(text).toContain('472 of 486')
    expect(text).toContain('better')
    expect(text).toContain('Capture range, Raypose: 5 mm 54 of 54')
  })
})

it('imported poses do not go by the name of a method, nor of each other', () => {
  const poses = (name: string) => ({ name, poses: [] })
  expect(named([poses('xvr'), poses('default'), poses('xvr')], ['default']).map(p => p.name)).toEqual([
    'xvr',
    'default (imported)',
    'xvr (imported)'
  ])
})

it.skipIf(!CHROMIUM)('a browser shows the report without a complaint', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'raypose-report-'))
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--headless=new']
  })
  try {
    const file = join(folder, 'report.html')
    await writeFile(file, page)
    const tab = await browser.newPage({ viewport: { width: 1180, height: 900 } })
    const complaints: string[] = []
    tab.on('console', m => complaints.push(m.text()))
    tab.on('pageerror', e => complaints.push(e.message))
    await tab.goto(pathToFileURL(file).href)
    const seen = await tab.evaluate(() => ({
      figures: [...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect().width),
      broken: [...document.images].filter(i => i.naturalWidth === 0).length,
      sideways: document.documentElement.scrollWidth > document.documentElement.clientWidth
    }))
    expect(complaints).toEqual([])
    expect(seen.broken).toBe(0)
    expect(seen.sideways).toBe(false)
    expect(seen.figures.length).toBeGreaterThan(10)
    for (const width of seen.figures) expect(width).toBeGreaterThan(250)
    await tab.setViewportSize({ width: 390, height: 800 })
    expect(
      await tab.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth)
    ).toBe(true)
  } finally {
    await browser.close()
    await rm(folder, { recursive: true })
  }
})
