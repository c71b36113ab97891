/**
 * Strings, which no device computes with: a tensor of strings is one of places in a table of names, which goes with the tensor
 * to the ports of the graph. Where strings come in from outside they become places, and places become strings again
 * where they leave.
 */
import { PeerError } from '../../base/errors.ts'

export interface Labels {
  readonly names: readonly string[]
  /** The strings come from outside: those that are not among the names are -1. A closed tensor holds names alone. */
  readonly open: boolean
}

/** Strings from outside as places in a table; -1 where they are not in it. */
export function placesOf(strings: readonly string[], names: readonly string[]): Float32Array {
  const places = new Map(names.map((name, place) => [name, place]))
  return Float32Array.from(strings, text => places.get(text) ?? -1)
}

/**
 * @param what names the tensor in the error
 * @throws PeerError INPUT_UNKNOWN_STRING where a place stands for a string that the model does not know
 */
export function stringsOf(places: ArrayLike<number>, names: readonly string[], what: string): string[] {
  return Array.from(places, place => {
    const name = names[place]
    if (name !== undefined) return name
    throw new PeerError({
      code: 'INPUT_UNKNOWN_STRING',
      kind: 'input',
      message: `${what} would hold a string that the model itself does not name, which is not passed through; read it from the input`,
    })
  })
}
