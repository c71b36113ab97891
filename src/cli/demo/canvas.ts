/**
 * A small rasteriser: paints distance fields onto an RGB canvas in floats, blurs, adds grain, and gives bytes.
 * It keeps one invariant: nothing it does depends on anything but its arguments, so a seed gives one picture.
 *
 * Colours are OKLCH (Ottosson, "A perceptual color space for image processing"), in which a difference in lightness
 * looks alike at every hue: contrast can be set as a number.
 */
import { type Prng, prng } from '../../base/prng.ts'
import { type Field, fieldReach } from './shapes.ts'

/** Gamma-encoded sRGB, each in [0, 1]. */
export type Colour = readonly [red: number, green: number, blue: number]

/** Lightness in [0, 1], chroma (0 grey, 0.2 vivid), hue in radians; clipped to what sRGB can show. */
export function oklch(lightness: number, chroma: number, hue: number): Colour {
  const a = chroma * Math.cos(hue)
  const b = chroma * Math.sin(hue)
  const long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
  const medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
  const short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
  const encode = (linear: number) => {
    const clipped = Math.min(1, Math.max(0, linear))
    return clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055
  }
  return [
    encode(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
    encode(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
    encode(-0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * short),
  ]
}

/** From one colour to another across the canvas, as a ramp or, with `stripes`, to and fro that many times. */
export interface Fill {
  from: Colour
  to: Colour
  /** The ramp's direction, radians. */
  angle: number
  /** 0: one plain ramp. */
  stripes: number
}

/** Where a shape's frame lies on the canvas, in pixels. */
export interface Placement {
  x: number
  y: number
  /** Pixels for one unit of the field. */
  radius: number
  /** Radians. */
  angle: number
  /** Height by width of the frame, 1 as a rule. */
  squash: number
}

export interface Stroke {
  /** Painted as far as `fieldReach` only, whatever it says beyond. */
  field: Field
  at: Placement
  fill: Fill
  /** Opacity in [0, 1]. */
  alpha: number
  /** Width of the edge in pixels; 1 is antialiased, more is soft. */
  softness: number
}

export interface Canvas {
  readonly width: number
  readonly height: number
  cover(fill: Fill): void
  paint(stroke: Stroke): void
  /** Two box blurs of this radius in pixels, which may be fractional, in each direction; none below a twentieth. */
  blur(radius: number): void
  /** Adds noise of about this standard deviation to each channel, in [0, 1], most of it shared by the channels. */
  grain(deviation: number, random: Prng): void
  /** [height, width, 3], a new array. */
  bytes(): Uint8Array
}

/** Standard normal values that grain is drawn from: a logarithm and a cosine a pixel would cost more than all else. */
const grainTable = Float32Array.from({ length: 4096 }, prng(0x9a1).normal)

export function createCanvas(width: number, height: number): Canvas {
  const pixels = new Float32Array(width * height * 3)
  return {
    width,
    height,
    cover: fill => coverAll(pixels, width, height, fill),
    paint: stroke => paintStroke(pixels, width, height, stroke),
    blur(radius) {
      if (radius < 0.05) return
      for (let pass = 0; pass < 2; pass++) {
        blurLines(pixels, height, width, width * 3, 3, radius)
        blurLines(pixels, width, height, 3, width * 3, radius)
      }
    },
    grain: (deviation, random) => addGrain(pixels, deviation, random),
    bytes() {
      const bytes = new Uint8ClampedArray(pixels.length)
      for (let i = 0; i < pixels.length; i++) bytes[i] = pixels[i] * 255
      return new Uint8Array(bytes.buffer)
    },
  }
}

/** How far along the fill's ramp a pixel lies, in [0, 1]. */
function rampOf(fill: Fill, width: number, height: number): (x: number, y: number) => number {
  const reach = (Math.abs(Math.cos(fill.angle)) * width + Math.abs(Math.sin(fill.angle)) * height) / 2
  const alongX = Math.cos(fill.angle) / (2 * reach)
  const alongY = Math.sin(fill.angle) / (2 * reach)
  const start = 0.5 - (alongX * width + alongY * height) / 2
  if (fill.stripes === 0) return (x, y) => start + alongX * x + alongY * y
  // A steep wave: flat within a stripe, an antialiased step between two.
  const turns = 2 * Math.PI * fill.stripes
  return (x, y) => Math.min(1, Math.max(0, 0.5 + 2 * Math.sin(turns * (start + alongX * x + alongY * y))))
}

function coverAll(pixels: Float32Array, width: number, height: number, fill: Fill): void {
  const ramp = rampOf(fill, width, height)
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      const part = ramp(x, y)
      for (let c = 0; c < 3; c++) pixels[at + c] = fill.from[c] + (fill.to[c] - fill.from[c]) * part
    }
  }
}

function paintStroke(pixels: Float32Array, width: number, height: number, stroke: Stroke): void {
  const { field, fill, alpha, softness } = stroke
  const { x: centreX, y: centreY, radius, angle, squash } = stroke.at
  const reach = radius * Math.max(1, squash) * fieldReach + softness
  const left = Math.max(0, Math.floor(centreX - reach))
  const right = Math.min(width, Math.ceil(centreX + reach))
  const bottom = Math.min(height, Math.ceil(centreY + reach))
  const cos = Math.cos(angle) / radius
  const sin = Math.sin(angle) / radius
  const ramp = rampOf(fill, width, height)
  const pixelsPerUnit = radius / softness
  for (let y = Math.max(0, Math.floor(centreY - reach)); y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const fromX = x + 0.5 - centreX
      const fromY = y + 0.5 - centreY
      const distance = field(cos * fromX + sin * fromY, (cos * fromY - sin * fromX) / squash)
      const coverage = alpha * Math.min(1, Math.max(0, 0.5 - distance * pixelsPerUnit))
      if (coverage === 0) continue
      const part = ramp(x, y)
      const at = (y * width + x) * 3
      for (let c = 0; c < 3; c++) {
        const colour = fill.from[c] + (fill.to[c] - fill.from[c]) * part
        pixels[at + c] += coverage * (colour - pixels[at + c])
      }
    }
  }
}

/** A running mean over 2 radius + 1 pixels of every line, the outermost two weighed by the radius' fraction. */
function blurLines(
  pixels: Float32Array,
  lines: number,
  length: number,
  lineStride: number,
  stride: number,
  radius: number,
): void {
  const whole = Math.floor(radius)
  const fraction = radius - whole
  const scale = 1 / (2 * radius + 1)
  // A line with its ends repeated beyond them, so that the window never has to look where it is.
  const pad = whole + 1
  const line = new Float32Array(length + 2 * pad)
  for (let l = 0; l < lines; l++) {
    for (let c = 0; c < 3; c++) {
      const base = l * lineStride + c
      for (let i = 0; i < length; i++) line[i + pad] = pixels[base + i * stride]
      line.fill(line[pad], 0, pad)
      line.fill(line[length + pad - 1], length + pad)
      let sum = 0
      for (let i = 1; i < 2 * pad; i++) sum += line[i]
      for (let i = 0; i < length; i++) {
        const end = i + 2 * pad
        pixels[base + i * stride] = (sum + fraction * (line[i] + line[end])) * scale
        sum += line[end] - line[i + 1]
      }
    }
  }
}

function addGrain(pixels: Float32Array, deviation: number, random: Prng): void {
  if (deviation <= 0) return
  for (let i = 0; i < pixels.length; i += 3) {
    const shared = 0.85 * deviation * grainTable[random.int(grainTable.length)]
    for (let c = 0; c < 3; c++) pixels[i + c] += shared + 0.5 * deviation * grainTable[random.int(grainTable.length)]
  }
}
