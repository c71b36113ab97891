/** A failing seed explained: run once more with a transcript, cut in the middle, and how to see all of it. */
import type { SimOptions } from './options.ts'
import { type SimResult, simulate } from './simulate.ts'

/** Of a failing run, this many lines from its beginning and from its end. */
const toldLines = 120

/** As `simulate`; when a promise is broken, throws with the seed, what happened, and how to replay it. */
export function simulateOrTell(options: SimOptions, replay = ''): SimResult {
  try {
    return simulate(options)
  } catch (thrown) {
    const transcript: string[] = []
    try {
      simulate(options, transcript)
    } catch {
      // The same again: the run is repeatable.
    }
    const left = transcript.length - 2 * toldLines
    const told = [
      ...transcript.slice(0, toldLines),
      ...(left > 0 ? [`… ${left} lines …`] : []),
      ...transcript.slice(Math.max(toldLines, transcript.length - toldLines)),
    ].join('\n')
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    throw new Error(`seed ${options.seed}: ${why}\n${told}\nseed ${options.seed}: ${why}\n${replay}`, { cause: thrown })
  }
}
