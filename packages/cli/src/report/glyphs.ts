/** Letters for the legends inside pictures: a platform's fonts are not at hand where bytes are all there is. */

export const GLYPH_COLUMNS = 5
export const GLYPH_ROWS = 9
/** From one letter to the next. */
export const GLYPH_ADVANCE = 6

/** Rows from the top, one base-32 digit each, its five bits the dots from left to right; two rows hang below the line. */
const ROWS: Record<string, string> = {
  D: 'uhhhhhu00',
  R: 'uhhukih00',
  a: '00e1fhf00',
  c: '00ehghe00',
  d: '11djhjd00',
  e: '00ehvge00',
  g: '00djhjd1e',
  j: '20622222i',
  o: '00ehhhe00',
  p: '00mphpmgg',
  r: '00mpggg00',
  s: '00fge1u00',
  t: '88u889600'
}

/** Dots of a letter, row by row; none for one that is not in the table. */
export const glyph = (letter: string): readonly number[] =>
  [...(ROWS[letter] ?? '0'.repeat(GLYPH_ROWS))].map(digit => Number.parseInt(digit, 32))
