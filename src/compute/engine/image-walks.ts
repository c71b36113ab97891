/**
 * Strided walks over images whose layout changes: element (n, c, pixel) of a value lies at n*C*A + c*A + pixel where images lie
 * by planes, and at n*C*A + pixel*C + c where channels are neighbours (A pixels of C channels). A walk says only offsets and
 * strides; here its axes are split until each steps through images, channels or pixels alone, and then says them anew.
 */

/** A value as images: its elements are batch * channels * area. */
export interface Images {
  readonly batch: number
  readonly channels: number
  readonly area: number
}

/** How one operand is walked, by planes; `images` where it lies channels last. */
export interface Operand {
  strides: readonly number[]
  offset: number
  images?: Images
}

export interface Relaid {
  dims: number[]
  /** The walk's strides after the split: as they were, and as they are in the operand's layout. */
  operands: { before: number[]; strides: number[]; offset: number }[]
}

/**
 * The same walk over operands in their new layouts; undefined where an axis cannot be split so, or runs backwards.
 * @param dims of the walk, with a stride for each in every operand
 */
export function relayWalk(dims: readonly number[], operands: readonly Operand[]): Relaid | undefined {
  const walk = { dims: [...dims], strides: operands.map(operand => [...operand.strides]) }
  for (let at = 0; at < operands.length; at++) {
    const { images } = operands[at]
    if (images && !splitAxes(walk, at, images)) return undefined
  }
  const relaid = operands.map(({ offset, images }, at) => {
    const before = walk.strides[at]
    if (!images) return { before, strides: before, offset }
    return relayOperand(walk.dims, before, offset, images)
  })
  return relaid.every(operand => operand !== undefined) ? { dims: walk.dims, operands: relaid } : undefined
}

/** Splits axes until each of the operand's strides stays within a plane, within an image, or steps over images. */
function splitAxes(walk: { dims: number[]; strides: number[][] }, operand: number, images: Images): boolean {
  for (let axis = 0; axis < walk.dims.length; axis++) {
    const stride = walk.strides[operand][axis]
    if (walk.dims[axis] === 1 || stride === 0) continue
    if (stride < 0) return false
    const extent = stride < images.area ? images.area : images.area * images.channels
    if (stride >= extent || stride * walk.dims[axis] <= extent) continue
    const inner = extent / stride
    if (!Number.isInteger(inner) || walk.dims[axis] % inner !== 0) return false
    walk.dims.splice(axis, 1, walk.dims[axis] / inner, inner)
    for (const list of walk.strides) list.splice(axis, 1, list[axis] * inner, list[axis])
    axis-- // the outer part may step over channels and images at once
  }
  return true
}

function relayOperand(dims: readonly number[], before: number[], offset: number, { channels, area }: Images) {
  let [pixel, channel] = [offset % area, Math.floor(offset / area) % channels]
  const start = Math.floor(offset / (area * channels)) * area * channels + pixel * channels + channel
  const strides: number[] = []
  for (const [axis, stride] of before.entries()) {
    if (dims[axis] === 1 || stride === 0) strides.push(0)
    else if (stride < area) {
      pixel += stride * (dims[axis] - 1)
      strides.push(stride * channels)
    } else if (stride % area !== 0) return undefined
    else if (stride < area * channels) {
      channel += (stride / area) * (dims[axis] - 1)
      strides.push(stride / area)
    } else if (stride % (area * channels) === 0) strides.push(stride)
    else return undefined
  }
  // A walk that runs over the end of a plane goes on in the next one; in the other layout it would not.
  return pixel < area && channel < channels ? { before, strides, offset: start } : undefined
}
