import {
  ArgumentError,
  DEGREE,
  FileFormatError,
  GeometryError,
  geometryToJson,
  PAPER_DETECTOR,
  poseFromView,
  viewFromPose,
  XrayError
} from '@raypose/core'
import { encode } from 'fast-png'
import { describe, expect, it } from 'vitest'
import {
  mirrorXray,
  readPng,
  readPngXray,
  readUncalibratedXray,
  readXrayBytes,
  viewFromPositioner,
  writeDicomCtSlices,
  writeDicomXray,
  writeMhaImage,
  writeNrrdImage,
  writePng8,
  writePng8Rgb,
  writePng16,
  xrayFromDicom
} from '../src/index.js'
import { edited } from './dicom-edit.js'
import { asymmetricVolume, convert, expectError, hasCommand, thrown } from './fixtures.js'

const detector = { sdd: 1020, pixel: [0.4, 0.3], size: [12, 9], principalPoint: [5.5, 4] } as const
const image = {
  width: 12,
  height: 9,
  data: Float32Array.from({ length: 108 }, (_, i) => 3 + Math.sin(i * i) + i / 40)
}
const view = { alpha: 12 * DEGREE, beta: 0, gamma: -35 * DEGREE, translation: [3, 4, 5] } as const
const pose = poseFromView(view, [10, -20, 30], 650)
const geometry = geometryToJson(detector)
const xa = {
  name: 'xa.dcm',
  bytes: writeDicomXray(image, { detector, sourceToPatient: 650, cameraFromLps: pose })
}

const largest = (a: Float32Array, b: Float32Array) => Math.max(...a.map((x, i) => Math.abs(x - b[i])))

describe('DICOM X-ray', () => {
  it('written and read: values, geometry, angles', async () => {
    const read = await readXrayBytes('xa.dcm', xa.bytes)
    expect(largest(read.image.data, image.data)).toBeLessThan((4 + 108 / 40) / 65535)
    expect(read.detector).toEqual(detector)
    expect(read.sourceToPatient).toBe(650)
    expect([read.intensity, read.bright, read.guessed]).toEqual(['log', 'attenuation', []])
    expect(read.mirrored).toBe(false)
    const back = viewFromPositioner(read.positioner!.primary, read.positioner!.secondary)
    expect(back.alpha).toBeCloseTo(view.alpha, 6)
    expect(back.gamma).toBeCloseTo(view.gamma, 6)
  })
  it('positioner angles mean the same directions as the contract says for views', () => {
    // DICOM: left anterior oblique 90° has the detector at the patient's left; cranial tilt has it towards the head.
    for (const [primary, secondary, beam] of [
      [0, 0, [0, -1, 0]],
      [90, 0, [1, 0, 0]],
      [-90, 0, [-1, 0, 0]],
      [180, 0, [0, 1, 0]],
      [0, 90, [0, 0, 1]]
    ] as const) {
      const angles = viewFromPositioner(primary * DEGREE, secondary * DEGREE)
      const m = poseFromView({ ...angles, translation: [0, 0, 0] }, [0, 0, 0])
      beam.forEach((x, a) => {
        expect(m[8 + a]).toBeCloseTo(x, 9)
      })
      expect(viewFromPose(m, [0, 0, 0]).beta).toBeCloseTo(0, 9)
    }
  })
  it('sees that an image is stored mirrored, and mirrors it', async () => {
    const file = edited(xa, {
      '00200020': ['CS', 'R', 'F'],
      '00181510': ['DS', '180'],
      '00181511': ['DS', '0']
    })
    const read = await readXrayBytes('m.dcm', file.bytes)
    expect(read.mirrored).toBe(true)
    expect(read.notes.join()).toMatch(/mirrored/)
    const turned = mirrorXray(read)
    expect(turned.mirrored).toBe(false)
    expect(turned.image.data[0]).toBe(read.image.data[11])
    expect(mirrorXray(turned).image).toEqual(read.image)
    const off = mirrorXray({ ...read, detector: { ...detector, principalPoint: [2, 3] } })
    expect(off.detector.principalPoint).toEqual([9, 3])
  })
  it('knows the distance to the patient from fluoroscopy and angiography alone', async () => {
    for (const [modality, expected] of [
      ['RF', 650],
      ['DX', null],
      ['CR', null]
    ] as const) {
      const bytes = edited(xa, { '00080060': ['CS', modality] }).bytes
      expect((await readXrayBytes('x.dcm', bytes)).sourceToPatient, modality).toBe(expected)
    }
  })
  it('takes the next best pixel size, and says so', async () => {
    const without = { '00181164': null }
    const element = await readXrayBytes(
      'e.dcm',
      edited(xa, { ...without, '00187022': ['DS', '0.15', '0.2'], '0018701A': ['DS', '2', '2'] }).bytes
    )
    expect(element.detector.pixel).toEqual([0.4, 0.3])
    expect(element.notes.join()).toMatch(/detector element spacing/)
    const pixel = await readXrayBytes(
      'p.dcm',
      edited(xa, { ...without, '00181111': null, '00280030': ['DS', '0.3', '0.4'] }).bytes
    )
    expect(pixel.detector.pixel).toEqual([0.4, 0.3])
    expect(pixel.notes.join()).toMatch(/pixel spacing \(0028,0030\)/)
    const magnified = await readXrayBytes(
      'c.dcm',
      edited(xa, {
        ...without,
        '00280030': ['DS', '0.15', '0.2'],
        '00280A02': ['CS', 'GEOMETRY'],
        '00181114': ['DS', '2']
      }).bytes
    )
    expect(magnified.detector.pixel).toEqual([0.4, 0.3])
    const calibrated = edited(xa, {
      ...without,
      '00280030': ['DS', '0.15', '0.2'],
      '00280A02': ['CS', 'FIDUCIAL']
    })
    await expectError(
      () => readXrayBytes('f.dcm', calibrated.bytes),
      XrayError,
      /f\.dcm.*imager pixel spacing/,
      /--geometry/
    )
  })
  it('without geometry: an error that names the tags and the way out, unless it is given', async () => {
    const bare = edited(xa, { '00181110': null, '00181164': null }, 'bare.dcm')
    await expectError(
      () => readXrayBytes('bare.dcm', bare.bytes),
      XrayError,
      /bare\.dcm.*\(0018,1110\).*\(0018,1164\)/,
      /--geometry/
    )
    const read = await xrayFromDicom(bare.bytes)
    expect(read.detector).toBeNull()
    expect(read.missing).toHaveLength(2)
    expect((await readXrayBytes('bare.dcm', bare.bytes, geometry)).detector).toEqual(detector)
  })
  it('a geometry of another size', async () => {
    const other = { ...geometry, size: [24, 18] }
    await expectError(
      () => readXrayBytes('xa.dcm', xa.bytes, other),
      XrayError,
      /12 × 9 pixels.*24 × 18/,
      /columns × rows/
    )
  })
  it('tells or guesses what values mean', async () => {
    const meaning = async (changes: Parameters<typeof edited>[1]) => {
      const { intensity, bright, guessed } = await xrayFromDicom(edited(xa, changes).bytes)
      return [intensity, bright, ...guessed]
    }
    const silent = { '00281040': null, '00281041': null }
    expect(await meaning({ '00281040': ['CS', 'LIN'], '00281041': ['SS', 1] })).toEqual([
      'linear',
      'exposure'
    ])
    expect(await meaning(silent)).toEqual(['linear', 'exposure', 'intensity', 'bright'])
    expect(await meaning({ ...silent, '00280004': ['CS', 'MONOCHROME1'] })).toEqual([
      'linear',
      'attenuation',
      'intensity',
      'bright'
    ])
    expect(await meaning({ ...silent, '00080060': ['CS', 'DX'] })).toEqual([
      'log',
      'attenuation',
      'intensity',
      'bright'
    ])
    const told = await xrayFromDicom(edited(xa, silent).bytes, 'x', {
      intensity: 'log',
      bright: 'attenuation'
    })
    expect([told.intensity, told.bright, told.guessed]).toEqual(['log', 'attenuation', []])
  })
  it('frames', async () => {
    const frames = Uint16Array.from({ length: 216 }, (_, i) => i)
    const run = edited(xa, {
      '00280008': ['IS', '2'],
      '00281052': ['DS', '0'],
      '00281053': ['DS', '1'],
      '7FE00010': ['OW', frames.buffer]
    })
    const first = await xrayFromDicom(run.bytes, 'run.dcm')
    expect(first.image.data[0]).toBe(0)
    expect(first.frames).toBe(2)
    expect(first.notes.join()).toMatch(/2 frames; the first/)
    expect((await xrayFromDicom(run.bytes, 'run.dcm', { frame: 1 })).image.data[0]).toBe(108)
    await expectError(
      () => xrayFromDicom(run.bytes, 'run.dcm', { frame: 2 }),
      XrayError,
      /2 frame\(s\)/,
      /from 0/
    )
  })
  it('refuses a CT slice, colour, emptiness and a detector that is none', async () => {
    const [slice] = writeDicomCtSlices(asymmetricVolume())
    await expectError(
      () => readXrayBytes('ct.dcm', slice.bytes),
      XrayError,
      /ct\.dcm is of modality CT/,
      /radiograph/
    )
    const colour = edited(xa, { '00280002': ['US', 3], '00280004': ['CS', 'RGB'] })
    await expectError(
      () => readXrayBytes('rgb.dcm', colour.bytes),
      FileFormatError,
      /rgb\.dcm is a colour image/,
      /greyscale/
    )
    const flat = edited(xa, { '7FE00010': ['OW', new ArrayBuffer(216)] })
    await expectError(
      () => readXrayBytes('flat.dcm', flat.bytes),
      XrayError,
      /flat\.dcm is empty/,
      /something in it/
    )
  })
  it('a principal point off the centre cannot be written', async () => {
    await expectError(
      () => writeDicomXray(image, { detector: { ...detector, principalPoint: [3, 3] } }),
      ArgumentError,
      /principal point/,
      /PNG and a geometry JSON/
    )
  })
  it.skipIf(!hasCommand('gdcmconv'))('survives compression by another program', async () => {
    const coded = convert(xa.bytes, 'gdcmconv', (input, output) => ['--jpeg', input, output])
    expect((await readXrayBytes('j.dcm', coded)).image.data).toEqual(
      (await readXrayBytes('x.dcm', xa.bytes)).image.data
    )
  })
})

describe('PNG', () => {
  const { min, max } = { min: 2, max: 8 }
  const png = writePng16(image, { min, max })

  it('16 bits to a grey value', () => {
    const read = readPng(png)
    expect(read.bits).toBe(16)
    const values = read.image.data.map(v => min + (v * (max - min)) / 65535)
    expect(largest(values, image.data)).toBeLessThan((max - min) / 65535)
  })
  it('clamps what lies outside the window', () => {
    const { data } = readPng(
      writePng16({ width: 2, height: 1, data: Float32Array.from([-5, 99]) }, { min: 0, max: 1 })
    ).image
    expect([...data]).toEqual([0, 65535])
  })
  it('8 bits, with a note', async () => {
    const read = readPngXray(writePng8(image, { min, max }), geometry)
    expect(read.notes.join()).toMatch(/8 bits/)
    expect(
      largest(
        read.image.data.map(v => min + (v * (max - min)) / 255),
        image.data
      )
    ).toBeLessThan((max - min) / 255)
  })
  it('colour becomes luminance, grey in colour stays as it is', () => {
    const rgb = Uint8Array.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 77, 77, 77])
    const read = readPng(writePng8Rgb(4, 1, rgb))
    expect([...read.image.data].map(v => Number(v.toFixed(3)))).toEqual([54.213, 182.376, 18.411, 77])
    expect(read.notes.join()).toMatch(/luminance/)
  })
  it('palette, alpha, interlacing', () => {
    const palette = [
      [10, 10, 10],
      [200, 200, 200]
    ]
    const indexed = encode({
      width: 2,
      height: 1,
      data: Uint8Array.from([1, 0]),
      depth: 8,
      channels: 1,
      palette
    })
    expect([...readPng(indexed).image.data]).toEqual([200, 10])
    const alpha = encode({
      width: 2,
      height: 1,
      data: Uint16Array.from([500, 65535, 600, 0]),
      depth: 16,
      channels: 2
    })
    expect([...readPng(alpha).image.data]).toEqual([500, 600])
    const data = Uint16Array.from({ length: 108 }, (_, i) => i * 600)
    const laced = encode({ width: 12, height: 9, data, depth: 16, channels: 1 }, { interlace: 'Adam7' })
    expect([...readPng(laced).image.data]).toEqual([...data])
  })
  it('with a geometry that carries the pose', async () => {
    const read = await readXrayBytes('x.png', png, geometryToJson(detector, pose))
    expect(read.detector).toEqual(detector)
    expect(read.cameraFromLps).toEqual(pose)
    expect(read.guessed).toEqual(['intensity', 'bright'])
  })
  it('without geometry, or with another', async () => {
    await expectError(
      () => readXrayBytes('x.png', png),
      XrayError,
      /x\.png does not say how it was taken/,
      /--geometry/
    )
    await expectError(
      () => readXrayBytes('x.png', png, geometryToJson(PAPER_DETECTOR)),
      XrayError,
      /12 × 9.*240 × 188/,
      /columns × rows/
    )
    await expectError(
      () => readXrayBytes('x.png', png, { ...geometry, sddMm: 'far' }),
      GeometryError,
      /sddMm/,
      /sddMm/
    )
    await expectError(
      () => readXrayBytes('x.png', png, { ...geometry, pixelMm: [0, 1] }),
      GeometryError,
      /pixel size/,
      /in mm/
    )
    expect(readPngXray(png).detector).toBeNull()
  })
  it('damaged in any byte of its chunks', async () => {
    for (let at = 8; at < png.length; at += 7) {
      const bytes = png.slice()
      bytes[at] ^= 0x10
      expect(await thrown(() => readPng(bytes, 'bad.png')), `byte ${at}`).toBeInstanceOf(FileFormatError)
    }
  })
  it('an empty window or picture', async () => {
    await expectError(() => writePng16(image, { min: 1, max: 1 }), ArgumentError, /empty/, /max above min/)
    await expectError(
      () => writePng8Rgb(2, 2, new Uint8Array(5)),
      ArgumentError,
      /5 bytes/,
      /three bytes a pixel/
    )
    const flat = writePng16({ width: 12, height: 9, data: new Float32Array(108) }, { min: 0, max: 1 })
    await expectError(
      () => readXrayBytes('flat.png', flat, geometry),
      XrayError,
      /flat\.png is empty/,
      /something in it/
    )
  })
})

describe('other images', () => {
  it('2D NRRD and MetaImage with a geometry', async () => {
    for (const bytes of [writeNrrdImage(image, [0.4, 0.3]), writeMhaImage(image, [0.4, 0.3])]) {
      const read = await readXrayBytes('x', bytes, geometry)
      expect(read.image).toEqual(image)
      await expectError(() => readXrayBytes('x', bytes), XrayError, /geometry/, /--geometry/)
    }
  })
  it('NaN and what is no image', async () => {
    const data = image.data.slice()
    data[14] = Number.NaN
    await expectError(
      () => readUncalibratedXray('n.nrrd', writeNrrdImage({ ...image, data })),
      XrayError,
      /column 2, row 1/,
      /Replace NaN/
    )
    await expectError(
      () => readXrayBytes('x.jpg', Uint8Array.from([255, 216, 255, 224])),
      FileFormatError,
      /x\.jpg/,
      /16-bit PNG/
    )
  })
})
