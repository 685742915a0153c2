import { expect, test } from 'vitest'
import { judge } from '../src/terminal/verdict.js'

test('a figure is judged by its target, in the direction the target has', () => {
  expect(judge(0.7, { least: 0.7 })).toEqual({ wanted: '≥ 0.7', verdict: 'yes' })
  expect(judge(0.69, { least: 0.7 })).toEqual({ wanted: '≥ 0.7', verdict: 'no' })
  expect(judge(15, { most: 15 })).toEqual({ wanted: '≤ 15', verdict: 'yes' })
  expect(judge(15.1, { most: 15 })).toEqual({ wanted: '≤ 15', verdict: 'no' })
  expect(judge(Number.NaN, { most: 15 }).verdict).toBe('no')
})

test('without a target there is no verdict, without a figure the reason', () => {
  expect(judge(3)).toEqual({ wanted: '', verdict: '' })
  expect(judge(null, { least: 2 }, 'one core')).toEqual({ wanted: '≥ 2', verdict: 'one core' })
})
