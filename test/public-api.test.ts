import { describe, expect, it } from 'vitest'
import * as core from '../packages/core/src/index.js'
import * as formats from '../packages/formats/src/index.js'
import * as network from '../packages/network/src/index.js'
import * as pipeline from '../packages/pipeline/src/index.js'

/** What users can import: growth is a visible change of the snapshot. */
describe('public API', () => {
  for (const [name, exports] of Object.entries({ core, formats, network, pipeline }))
    it(`of @raypose/${name}`, () => {
      expect(
        Object.entries(exports)
          .map(([key, value]) => `${key}: ${typeof value}`)
          .sort()
      ).toMatchSnapshot()
    })
})
