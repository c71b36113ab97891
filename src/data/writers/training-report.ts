/** A training's report as one HTML file that needs nothing else: what was done, the objective's curve, who was taken for whom. */

export interface TrainingReport {
  title: string
  /** What was done with what, in order: rows, rounds, options. */
  facts: readonly (readonly [name: string, value: string])[]
  /** What the curve shows, and its value after each round. */
  objective: string
  history: readonly number[]
  /** Rows are the labels of the data, columns what the model says; counts [names, names]. */
  confusion?: { names: readonly string[]; counts: ArrayLike<number> }
  /** The matrix is of rows that were not learnt from, besides which there are those of unknown classes. */
  heldOut?: { unknown: number }
}

const [width, height] = [720, 260]
const margin = { left: 86, right: 16, top: 14, bottom: 34 }
/** More points than a screen shows would only make the file large. */
const pointsMax = 1000
/** A matrix of more classes than this nobody reads. */
const namesMax = 64

export function trainingReport({ title, facts, objective, history, confusion, heldOut }: TrainingReport): string {
  const rows = facts.map(([name, value]) => `<tr><th>${escaped(name)}</th><td>${escaped(value)}</td></tr>`)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse } th { text-align: left; font-weight: 500; padding-right: 1.5rem }
.matrix td, .matrix th { padding: .2rem .5rem; text-align: right } .matrix td { font-variant-numeric: tabular-nums }
svg { max-width: 100%; height: auto } svg text { fill: currentColor; font-size: 12px } .axis { stroke: currentColor; opacity: .35 }
.curve { fill: none; stroke: #2f7ed8; stroke-width: 2 }
</style></head><body>
<h1>${escaped(title)}</h1>
<table>${rows.join('\n')}</table>
<h2>${escaped(objective)} by round</h2>
${curve(history)}
${confusion ? matrix(confusion, heldOut) : ''}
</body></html>
`
}

function curve(history: readonly number[]): string {
  const points = history.flatMap((value, i) => (Number.isFinite(value) ? [{ round: i + 1, value }] : []))
  if (points.length === 0) return '<p>No round had a value.</p>'
  const every = Math.ceil(points.length / pointsMax)
  const shown = points.filter((_, i) => i % every === 0 || i === points.length - 1)
  const values = shown.map(point => point.value)
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const last = shown[shown.length - 1]
  const first = shown[0]
  const x = (round: number) =>
    margin.left + share(round, first.round, last.round) * (width - margin.left - margin.right)
  const y = (value: number) => height - margin.bottom - share(value, low, high) * (height - margin.top - margin.bottom)
  const path = shown.map(({ round, value }) => `${x(round).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
  const bottom = height - margin.bottom
  const mark = (value: number) =>
    `<text x="${margin.left - 8}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${number(value)}</text>`
  const names = low === high ? mark(low) : mark(low) + mark(high)
  return `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<line class="axis" x1="${margin.left}" y1="${bottom}" x2="${width - margin.right}" y2="${bottom}"/>
<line class="axis" x1="${margin.left}" y1="${margin.top}" x2="${margin.left}" y2="${bottom}"/>
${names}
<text x="${margin.left}" y="${height - 12}">${first.round}</text>
<text x="${width - margin.right}" y="${height - 12}" text-anchor="end">${last.round}</text>
<polyline class="curve" points="${path}"/>
<circle cx="${x(last.round).toFixed(1)}" cy="${y(last.value).toFixed(1)}" r="3.5" fill="#2f7ed8"/>
</svg>
<p>After ${last.round} ${last.round === 1 ? 'round' : 'rounds'}: ${number(last.value)}</p>`
}

/** Where a value lies between two others; in the middle where they are the same. */
function share(value: number, low: number, high: number): number {
  return high > low ? (value - low) / (high - low) : 0.5
}

function matrix(
  { names, counts }: NonNullable<TrainingReport['confusion']>,
  heldOut: TrainingReport['heldOut'],
): string {
  const size = names.length
  let right = 0
  let all = heldOut?.unknown ?? 0
  for (let i = 0; i < size * size; i++) {
    all += counts[i]
    if (i % (size + 1) === 0) right += counts[i]
  }
  const told = `<h2>Confusion matrix</h2>
<p>${right} of ${all} ${heldOut ? 'held-out' : 'training'} rows are classified right (accuracy ${((100 * right) / Math.max(1, all)).toFixed(2)}%).</p>`
  if (size > namesMax) return `${told}\n<p>${size} classes are too many to show.</p>`
  const head = names.map(name => `<th>${escaped(name)}</th>`).join('')
  const rows = names.map((name, row) => {
    const line = Array.from({ length: size }, (_, column) => counts[row * size + column])
    const total = Math.max(
      1,
      line.reduce((sum, count) => sum + count, 0),
    )
    const cells = line.map((count, column) => {
      const hue = column === row ? '47, 126, 216' : '216, 80, 47'
      return `<td style="background: rgba(${hue}, ${((0.75 * count) / total).toFixed(3)})">${count}</td>`
    })
    return `<tr><th>${escaped(name)}</th>${cells.join('')}</tr>`
  })
  return `${told}
<p>A row for each label of the data, a column for what the model says.</p>
<table class="matrix"><tr><th></th>${head}</tr>
${rows.join('\n')}
</table>`
}

function number(value: number): string {
  return String(Number(value.toPrecision(6)))
}

function escaped(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return text.replace(/[&<>"']/g, character => entities[character])
}
