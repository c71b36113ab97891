/** Image features in plain loops and double precision: what the graphs are held to. Images are [channels, height, width], 0 to 1. */
import type { ImageFeatures } from '../../../src/learn/features/features.ts'

type Kind<K extends ImageFeatures['kind']> = Extract<ImageFeatures, { kind: K }>

function grey(image: Float32Array, { channels, height, width }: ImageFeatures): Float64Array {
  const area = height * width
  if (channels === 1) return Float64Array.from(image)
  return Float64Array.from(
    { length: area },
    (_, i) => 0.2125 * image[i] + 0.7154 * image[area + i] + 0.0721 * image[2 * area + i],
  )
}

export function simpleHog(image: Float32Array, options: Kind<'hog'>): number[] {
  const { height, width, orientations, cell, block } = options
  const values = grey(image, options)
  const [down, across] = [Math.floor(height / cell), Math.floor(width / cell)]
  const cells = Array.from({ length: down * across }, () => new Array<number>(orientations).fill(0))
  for (let r = 0; r < down * cell; r++)
    for (let c = 0; c < across * cell; c++) {
      const dy = r > 0 && r < height - 1 ? values[(r + 1) * width + c] - values[(r - 1) * width + c] : 0
      const dx = c > 0 && c < width - 1 ? values[r * width + c + 1] - values[r * width + c - 1] : 0
      const degrees = ((Math.atan2(dy, dx) * 180) / Math.PI + 360) % 180
      const bin = Math.min(orientations - 1, Math.floor(degrees / (180 / orientations)))
      cells[Math.floor(r / cell) * across + Math.floor(c / cell)][bin] += Math.hypot(dx, dy) / cell ** 2
    }
  const features: number[] = []
  for (let r = 0; r + block <= down; r++)
    for (let c = 0; c + block <= across; c++) {
      const joined: number[] = []
      for (let i = 0; i < block; i++) for (let j = 0; j < block; j++) joined.push(...cells[(r + i) * across + c + j])
      features.push(...unit(unit(joined).map(value => Math.min(0.2, value))))
    }
  return features
}

function unit(values: number[]): number[] {
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 1e-10))
  return values.map(value => value / length)
}

export function simpleColours(
  image: Float32Array,
  { channels, height, width, bins }: Kind<'color-histogram'>,
): number[] {
  const counts = new Array<number>(channels * bins).fill(0)
  const area = height * width
  image.forEach((value, at) => {
    counts[Math.floor(at / area) * bins + Math.floor((Math.round(value * 255) * bins) / 256)] += 1 / area
  })
  return counts
}

export function simplePatterns(image: Float32Array, options: Kind<'lbp'>): number[] {
  const { height, width } = options
  const cell = options.cell ?? Math.max(height, width)
  const whole = cell >= height - 2 && cell >= width - 2
  const values = grey(image, options)
  const [down, across] = whole ? [1, 1] : [Math.floor((height - 2) / cell), Math.floor((width - 2) / cell)]
  const counts = new Array<number>(down * across * 10).fill(0)
  const area = whole ? (height - 2) * (width - 2) : cell * cell
  const around = [
    [0, 1],
    [-1, 1],
    [-1, 0],
    [-1, -1],
    [0, -1],
    [1, -1],
    [1, 0],
    [1, 1],
  ]
  for (let r = 1; r < height - 1; r++)
    for (let c = 1; c < width - 1; c++) {
      const bits = around.map(([y, x]) => (values[(r + y) * width + c + x] >= values[r * width + c] ? 1 : 0))
      const changes = bits.filter((bit, i) => bit !== bits[(i + 1) % 8]).length
      const pattern = changes > 2 ? 9 : bits.filter(bit => bit === 1).length
      const [i, j] = whole ? [0, 0] : [Math.floor((r - 1) / cell), Math.floor((c - 1) / cell)]
      if (i < down && j < across) counts[(i * across + j) * 10 + pattern] += 1 / area
    }
  return counts
}
