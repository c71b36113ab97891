/** What every benchmark prints: one table. */

export function printTable(head: string[], rows: string[][]): void {
  const widths = head.map((title, c) => Math.max(title.length, ...rows.map(row => row[c].length)))
  const line = (cells: string[]) =>
    cells.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('  ')
  console.log(line(head))
  for (const row of rows) console.log(line(row))
}
