/**
 * Composes one sample picture: a background, things that only look like shapes, the shape itself, something in front
 * of it, then a bad lens. Each picture has a difficulty of its own, which scales all that hides the shape: most are plain
 * to see, some nobody can tell. Whoever changes what is drawn trains the networks in demo/ again.
 */
import type { Prng } from '../../base/prng.ts'
import { type Canvas, type Colour, createCanvas, type Fill, oklch } from './canvas.ts'
import { type Field, norm, type ShapeName, shapeField, shapeNames } from './shapes.ts'

export interface Picture {
  /** [height, width, 3], RGB. */
  pixels: Uint8Array
  width: number
  height: number
  /** JPEG quality that this picture is to be kept at. */
  quality: number
}

/** Pixels on a side, either way. */
const sideMin = 64
const sideMax = 96

/** Chosen so that networks of some tens of thousands of weights get about nine in ten right. */
const difficultyMax = 0.8
const difficultyPower = 2

interface Scene {
  canvas: Canvas
  random: Prng
  /** In [0, difficultyMax]. */
  difficulty: number
  /** The background's mean lightness and its hue, which the rest is set against. */
  lightness: number
  hue: number
}

export function drawPicture(shape: ShapeName, random: Prng): Picture {
  const width = sideMin + random.int(sideMax - sideMin + 1)
  const height = sideMin + random.int(sideMax - sideMin + 1)
  const scene: Scene = {
    canvas: createCanvas(width, height),
    random,
    difficulty: difficultyMax * random.next() ** difficultyPower,
    lightness: within(random, 0.22, 0.92),
    hue: within(random, 0, 2 * Math.PI),
  }
  paintBackground(scene)
  paintClutter(scene)
  const place = paintShape(scene, shape)
  paintOccluders(scene, place)
  const { canvas, difficulty } = scene
  canvas.blur(difficulty * within(random, 0, 2.2))
  canvas.grain(0.008 + difficulty * within(random, 0, 0.13), random)
  return { pixels: canvas.bytes(), width, height, quality: 60 + random.int(31) }
}

function within(random: Prng, low: number, high: number): number {
  return low + (high - low) * random.next()
}

function turn(random: Prng): number {
  return within(random, 0, 2 * Math.PI)
}

/** A ramp between two colours near this lightness and hue; `spread` is how far apart in lightness they are. */
function rampFill(random: Prng, lightness: number, chroma: number, hue: number, spread: number): Fill {
  const colour = (side: number): Colour =>
    oklch(
      Math.min(0.97, Math.max(0.12, lightness + side * spread)),
      chroma * within(random, 0.7, 1.2),
      hue + side * within(random, 0, 0.5),
    )
  return { from: colour(-0.5), to: colour(0.5), angle: turn(random), stripes: 0 }
}

function paintBackground({ canvas, random, difficulty, lightness, hue }: Scene): void {
  const chroma = within(random, 0.015, 0.11)
  canvas.cover(rampFill(random, lightness, chroma, hue, 0.22))
  if (random.next() < 0.15 + 0.45 * difficulty) {
    const fill = { ...rampFill(random, lightness, chroma, hue + 0.4, 0.1 + 0.15 * difficulty) }
    const stripes = 2 + random.int(6)
    const at = { x: canvas.width / 2, y: canvas.height / 2, radius: canvas.width + canvas.height, angle: 0, squash: 1 }
    canvas.paint({ field: () => -1, at, fill: { ...fill, stripes }, alpha: within(random, 0.25, 0.7), softness: 1 })
  }
  // Out-of-focus lights: they make it a scene, and hide edges.
  const lights = random.int(5)
  for (let i = 0; i < lights; i++) {
    const radius = within(random, 0.15, 0.5) * canvas.width
    canvas.paint({
      field: disc,
      at: { ...anywhere(canvas, random), radius, angle: 0, squash: 1 },
      fill: rampFill(
        random,
        lightness + within(random, -0.2, 0.25),
        chroma * 1.3,
        hue + within(random, -0.9, 0.9),
        0.05,
      ),
      alpha: within(random, 0.15, 0.5),
      softness: radius * within(random, 0.3, 1.2),
    })
  }
}

const disc: Field = (x, y) => norm(x, y) - 0.8

/** A bar of length 2 with round ends, twice as thick as said. */
function bar(thickness: number): Field {
  const half = 1 - thickness
  return (x, y) => norm(x - Math.min(half, Math.max(-half, x)), y) - thickness
}

function anywhere(canvas: Canvas, random: Prng): { x: number; y: number } {
  return { x: random.next() * canvas.width, y: random.next() * canvas.height }
}

/** A colour that stands off from the background by `contrast` in lightness, on the side that has room. */
function against({ random, lightness, hue }: Scene, contrast: number): Fill {
  const up = lightness < 0.42 || (lightness < 0.72 && random.next() < 0.5)
  const chroma = within(random, 0.04, 0.19)
  const shift = random.next() < 0.5 ? within(random, 1.5, 4.8) : within(random, -0.7, 0.7)
  return rampFill(random, lightness + (up ? contrast : -contrast), chroma, hue + shift, within(random, 0, 0.16))
}

function paintClutter(scene: Scene): void {
  const { canvas, random, difficulty } = scene
  const scraps = random.int(3 + Math.round(9 * difficulty))
  for (let i = 0; i < scraps; i++) {
    const round = random.next() < 0.4
    canvas.paint({
      field: round ? disc : bar(within(random, 0.03, 0.16)),
      at: {
        ...anywhere(canvas, random),
        radius: canvas.width * (round ? within(random, 0.02, 0.09) : within(random, 0.08, 0.4)),
        angle: turn(random),
        squash: 1,
      },
      fill: against(scene, within(random, 0.05, 0.4)),
      alpha: within(random, 0.3, 0.9),
      softness: within(random, 1, 3),
    })
  }
  // Small shapes of any class off to the sides: only the large one in the middle counts.
  const decoys = random.int(1 + Math.round(3.5 * difficulty))
  for (let i = 0; i < decoys; i++) {
    const angle = turn(random)
    const off = within(random, 0.36, 0.55)
    canvas.paint({
      field: shapeField(random.pick(shapeNames), random.next()),
      at: {
        x: canvas.width * (0.5 + off * Math.cos(angle)),
        y: canvas.height * (0.5 + off * Math.sin(angle)),
        radius: Math.min(canvas.width, canvas.height) * within(random, 0.07, 0.15),
        angle: turn(random),
        squash: 1,
      },
      fill: against(scene, within(random, 0.05, 0.35)),
      alpha: within(random, 0.4, 0.9),
      softness: 1.2,
    })
  }
}

interface Spot {
  x: number
  y: number
  radius: number
}

function paintShape(scene: Scene, shape: ShapeName): Spot {
  const { canvas, random, difficulty } = scene
  const side = Math.min(canvas.width, canvas.height)
  const radius = side * within(random, 0.24, 0.4) * (1 - 0.25 * difficulty)
  const spot = {
    x: canvas.width / 2 + within(random, -0.12, 0.12) * side,
    y: canvas.height / 2 + within(random, -0.12, 0.12) * side,
    radius,
  }
  const field = shapeField(shape, random.next())
  const at = { ...spot, angle: turn(random), squash: 1 - 0.25 * difficulty * random.next() }
  const contrast = Math.max(0.05, within(random, 0.2, 0.5) * (1 - 0.85 * difficulty))
  const fill = against(scene, contrast)
  const shade: Fill = { from: [0.03, 0.03, 0.08], to: [0.03, 0.03, 0.08], angle: 0, stripes: 0 }
  const drop = radius * within(random, 0.06, 0.2)
  canvas.paint({
    field,
    at: { ...at, x: at.x + drop * 0.6, y: at.y + drop },
    fill: shade,
    alpha: within(random, 0, 0.45) * (1 - difficulty),
    softness: 2 + drop * 2,
  })
  const alpha = 1 - 0.45 * difficulty * random.next()
  if (random.next() < 0.3) {
    // A rim in a lighter or darker tone of the same colour, then the body a little smaller.
    const tone = random.next() < 0.5 ? 1.25 : 0.7
    const rim = tinted(fill, tone)
    const inset = within(random, 0.05, 0.1)
    canvas.paint({ field, at, fill: rim, alpha, softness: 1 })
    canvas.paint({ field: (x, y) => field(x, y) + inset, at, fill, alpha, softness: 1 })
  } else {
    const stripes = random.next() < 0.25 ? 3 + random.int(6) : 0
    canvas.paint({ field, at, fill: { ...fill, stripes }, alpha, softness: 1 })
  }
  return spot
}

function tinted(fill: Fill, tone: number): Fill {
  const tint = (colour: Colour): Colour => [colour[0] * tone, colour[1] * tone, colour[2] * tone]
  return { ...fill, from: tint(fill.from), to: tint(fill.to) }
}

/** Bars and discs over the shape's edge, up to about a third of it. */
function paintOccluders(scene: Scene, spot: Spot): void {
  const { canvas, random, difficulty } = scene
  const count = random.int(1 + Math.round(3.4 * difficulty))
  for (let i = 0; i < count; i++) {
    const angle = turn(random)
    const off = spot.radius * within(random, 0.2, 1)
    const x = spot.x + off * Math.cos(angle)
    const y = spot.y + off * Math.sin(angle)
    const round = random.next() < 0.5
    canvas.paint({
      field: round ? disc : bar(within(random, 0.04, 0.12)),
      at: {
        x,
        y,
        radius: round ? spot.radius * within(random, 0.25, 0.6) : canvas.width * within(random, 0.4, 0.9),
        angle: turn(random),
        squash: 1,
      },
      fill: against(scene, within(random, 0.02, 0.3)),
      alpha: within(random, 0.75, 1),
      softness: within(random, 1, 2),
    })
  }
}
