/**
 * Cells of others' words in a CSV file. A spreadsheet runs a cell that begins with = + - or @ as a formula, and people open
 * predictions in spreadsheets; so such a text gets an apostrophe in front, as OWASP advises ("CSV Injection"). Numbers
 * stay as they are.
 */
const formula = /^[=+\-@\t\r]/
const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

/** Whether a spreadsheet would take the text for a formula. */
export function isFormula(text: string): boolean {
  return formula.test(text) && !number.test(text)
}

export interface CellWriter {
  /** The text as a cell holds it. */
  cell(text: string): string
  /** How many texts got an apostrophe so far. */
  readonly marked: number
}

/** @param raw texts stay as they are, for programs that read the file */
export function cellWriter(raw = false): CellWriter {
  let marked = 0
  return {
    cell(text) {
      if (raw || !isFormula(text)) return text
      marked++
      return `'${text}`
    },
    get marked() {
      return marked
    },
  }
}
