/**
 * The ten shapes that the sample pictures show, as signed distance fields: negative inside, positive outside,
 * in a frame in which every shape fits a disc of radius 1, or a little more (`fieldReach`). Distances near an edge are true,
 * so that one clamp gives an antialiased edge and a wide one a soft shadow.
 *
 * Source: Inigo Quilez, "2D distance functions" (polygon, heart).
 */

/** Signed distance at a point of the shape's own frame, in units of its radius. */
export type Field = (x: number, y: number) => number

/** No shape has an inside further than this from the origin of its frame; the heart's lobes come closest. */
export const fieldReach = 1.12

/** Makes a field; `variety` in [0, 1] moves the proportions, so that no two stars are quite the same. */
type ShapeMaker = (variety: number) => Field

/** Math.hypot guards against overflow, which costs ten times the root and cannot happen here. */
export function norm(x: number, y: number): number {
  return Math.sqrt(x * x + y * y)
}

type Point = readonly [x: number, y: number]

/** Exact distance to a closed polygon's edges, its sign by crossing number. */
function polygon(points: readonly Point[]): Field {
  const count = points.length
  const edges = new Float64Array(count * 5)
  for (let i = 0; i < count; i++) {
    const [x, y] = points[i]
    const [nextX, nextY] = points[(i + 1) % count]
    edges.set([x, y, nextX - x, nextY - y, 1 / ((nextX - x) ** 2 + (nextY - y) ** 2)], i * 5)
  }
  return (x, y) => {
    let squared = Number.POSITIVE_INFINITY
    let sign = 1
    for (let i = 0; i < edges.length; i += 5) {
      const fromX = x - edges[i]
      const fromY = y - edges[i + 1]
      const edgeX = edges[i + 2]
      const edgeY = edges[i + 3]
      const along = Math.min(1, Math.max(0, (fromX * edgeX + fromY * edgeY) * edges[i + 4]))
      const offX = fromX - edgeX * along
      const offY = fromY - edgeY * along
      squared = Math.min(squared, offX * offX + offY * offY)
      const turn = edgeX * fromY - edgeY * fromX
      if (fromY >= 0 ? fromY < edgeY && turn > 0 : fromY >= edgeY && turn < 0) sign = -sign
    }
    return sign * Math.sqrt(squared)
  }
}

/** `corners` points around the origin, at the radii given in turn: one radius a regular polygon, two a star. */
function radial(corners: number, radii: readonly number[]): Field {
  return polygon(
    Array.from({ length: corners }, (_, i): Point => {
      const angle = (2 * Math.PI * i) / corners - Math.PI / 2
      const radius = radii[i % radii.length]
      return [radius * Math.cos(angle), radius * Math.sin(angle)]
    }),
  )
}

function cross(half: number): Field {
  const quarter: Point[] = [
    [half, -0.95],
    [half, -half],
    [0.95, -half],
  ]
  const turns: Point[][] = [0, 1, 2, 3].map(turn =>
    quarter.map(([x, y]): Point => {
      if (turn === 0) return [x, y]
      if (turn === 1) return [-y, x]
      return turn === 2 ? [-x, -y] : [y, -x]
    }),
  )
  return polygon(turns.flat())
}

function arrow(shaft: number, neck: number): Field {
  return polygon([
    [0.98, 0],
    [neck, 0.72],
    [neck, shaft],
    [-0.95, shaft],
    [-0.95, -shaft],
    [neck, -shaft],
    [neck, -0.72],
  ])
}

function crescent(shift: number): Field {
  return (x, y) => Math.max(norm(x, y) - 0.95, 0.78 - norm(x - shift, y))
}

/** Quilez's heart stands on its tip at the origin and is 1.2 high; here it is centred and scaled by 1.6. */
function heart(stretch: number): Field {
  return (atX, atY) => {
    const x = Math.abs(atX * stretch) / 1.6
    const y = -atY / 1.6 + 0.56
    if (x + y > 1) return 1.6 * (norm(x - 0.25, y - 0.75) - Math.SQRT2 / 4)
    const lobe = norm(x, y - 1)
    const half = 0.5 * Math.max(x + y, 0)
    return 1.6 * Math.min(lobe, norm(x - half, y - half)) * Math.sign(x - y)
  }
}

const makers = {
  arrow: variety => arrow(0.2 + 0.14 * variety, 0.05 + 0.25 * variety),
  circle: variety => (x, y) => norm(x, y * (1 + 0.12 * variety)) - 0.88,
  crescent: variety => crescent(0.36 + 0.16 * variety),
  cross: variety => cross(0.24 + 0.12 * variety),
  heart: variety => heart(0.95 + 0.15 * variety),
  hexagon: variety => radial(6, [0.95 - 0.04 * variety]),
  ring: variety => (x, y) => Math.abs(norm(x, y) - 0.7) - (0.2 - 0.07 * variety),
  square: variety => radial(4, [0.98, 1 - 0.1 * variety]),
  star: variety => radial(10, [1, 0.4 + 0.14 * variety]),
  triangle: variety => radial(3, [1, 1 - 0.15 * variety, 1 - 0.05 * variety]),
} satisfies Record<string, ShapeMaker>

export type ShapeName = keyof typeof makers

/** The classes in the order of the networks' outputs: alphabetical, as folders are listed. */
export const shapeNames = [
  'arrow',
  'circle',
  'crescent',
  'cross',
  'heart',
  'hexagon',
  'ring',
  'square',
  'star',
  'triangle',
] as const satisfies readonly ShapeName[]

/** The field of a shape; `variety` in [0, 1] chooses its proportions. */
export function shapeField(name: ShapeName, variety: number): Field {
  return makers[name](variety)
}
