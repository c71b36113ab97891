/** Words of the command line as values; what makes no sense is said by the option's name. */
import { type Command, InvalidArgumentError } from 'commander'

/** From 0 to 9999. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('a whole number from 0 to 9999 is expected.')
  return Number(text)
}

/** From `least` to `most`. */
export function wholeNumberFrom(least: number, most: number): (text: string) => number {
  return text => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (value >= least && value <= most) return value
    throw new InvalidArgumentError(`a whole number from ${least} to ${most} is expected.`)
  }
}

/** An option that may be given several times: it takes one value each time, so that it may stand before the inputs. */
export function each(text: string, before: string[] = []): string[] {
  if (text === '') throw new InvalidArgumentError('it is empty.')
  return [...before, text]
}

/** Any finite number. */
export function anyNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('a number is expected.')
  return value
}

/** Positive numbers with commas between them: one a model. */
export function weights(text: string): number[] {
  const list = text.split(',').map(Number)
  if (list.some(weight => !(weight > 0 && Number.isFinite(weight))))
    throw new InvalidArgumentError('positive numbers are expected, such as 2,1.')
  return list
}

/** Names with commas between them. */
export function names(text: string): string[] {
  const list = text.split(',').map(name => name.trim())
  if (list.some(name => name === '')) throw new InvalidArgumentError('names are expected, such as height,width.')
  return list
}

/** `128`, or `64x128`: width by height. */
export function imageSize(text: string): { width: number; height: number } {
  const match = /^(\d{1,5})(?:x(\d{1,5}))?$/.exec(text)
  if (!match) throw new InvalidArgumentError('a size is expected, such as 128 or 64x128 (width x height).')
  return { width: Number(match[1]), height: Number(match[2] ?? match[1]) }
}

/** Of commands on images. */
export interface ShardArguments {
  imagesPerShard?: number
}

export function shardOption(command: Command): Command {
  return command.option(
    '--images-per-shard <n>',
    'smaller shards spread a small job further (default: as many as a shard may have)',
    wholeNumber,
  )
}
