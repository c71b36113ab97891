/** The options of commands that take features of images, and what they come to. */
import type { Command } from 'commander'
import { imageSize, wholeNumber } from './arguments.ts'
import type { FeatureChoice } from './train-images.ts'

export const featureKinds = ['hog', 'color-histogram', 'lbp']

export interface FeatureArguments {
  size?: { width: number; height: number }
  grey?: boolean
  orientations?: number
  cell?: number
  block?: number
  bins?: number
}

export function featureOptions(command: Command): Command {
  return command
    .option(
      '--size <pixels>',
      'images are resized to this, such as 64 or 64x128 (width x height; default: 128)',
      imageSize,
    )
    .option('--grey', 'of grey images rather than of RGB')
    .option('--orientations <n>', 'hog: directions of a gradient (default: 9)', wholeNumber)
    .option('--cell <pixels>', "hog, lbp: a square cell's side (default: 8; lbp: the whole image)", wholeNumber)
    .option('--block <cells>', "hog: a square block's side (default: 2)", wholeNumber)
    .option('--bins <n>', 'color-histogram: parts of each channel (default: 32)', wholeNumber)
}

/** All that was given goes along: an option of another kind is refused, not left out. */
export function featuresOf(kind: string, options: FeatureArguments): FeatureChoice {
  const { size = { width: 128, height: 128 }, grey, orientations, cell, block, bins } = options
  const given = Object.entries({ orientations, cell, block, bins }).filter(([, value]) => value !== undefined)
  return { kind, ...size, channels: grey ? 1 : 3, ...Object.fromEntries(given) }
}
