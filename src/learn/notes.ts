/** What a training must tell of its end beside the model: rounds that were cut off, and classes that nothing can be learnt of. */
import type { Parameters } from './training.ts'

/** Names that a line tells. */
const namesMax = 5

/** One line each, in the words of the command line. */
export function notesOf(parameters: Parameters): string[] {
  if (parameters.stage === 'summary') return []
  const { cut, round, summary, arrays } = parameters
  const notes: string[] = []
  if (cut)
    notes.push(
      `did not converge in ${round.toLocaleString('en')} rounds: give more with --rounds, or a larger --tolerance`,
    )
  // Of k-means alone.
  const empty = arrays.sizes?.filter(size => size === 0).length ?? 0
  if (empty > 0)
    notes.push(
      `${empty} of ${arrays.sizes.length} clusters ${empty === 1 ? 'has' : 'have'} no row: there are fewer different rows; take a smaller --k`,
    )
  const { label } = summary
  if (label.kind !== 'class') return notes
  const lone = label.names.filter((_, i) => label.counts[i] === 1)
  if (lone.length > 0) {
    const named = lone.slice(0, namesMax).join(', ') + (lone.length > namesMax ? ', …' : '')
    notes.push(`${lone.length === 1 ? '1 class has' : `${lone.length} classes have`} one row alone: ${named}`)
  }
  return notes
}
