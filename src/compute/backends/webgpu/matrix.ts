/**
 * Matrix products on the device: which tiles there are, which one a product gets without measurement, and which operands
 * can be read four elements at a time.
 *
 * Invariant: every tile, and every way of reading, sums in the same order with the same operations, so that whichever is
 * chosen, the bits are the same.
 */
import type { KernelParams } from '../../kernels/index.ts'
import { type Call, type Implementation, lanes, operandsOf, spread, workgroupsMax } from './call.ts'
import type { Common } from './shaders.ts'

/**
 * How a matrix product is laid on the device. `tile`: through workgroup memory, for GPUs. `direct`: without, for software
 * adapters, whose barriers are dear, and which take seconds to compile a tile.
 */
export type MatrixLayout = 'tile' | 'direct'

/** A workgroup of x by y lanes, each of which makes 4 * rowBlocks rows by 4 * columnBlocks columns. */
export interface Tile {
  /** Rows by columns, then lanes: what a cache of choices calls it. */
  readonly name: string
  readonly x: number
  readonly y: number
  readonly rowBlocks: 1 | 2
  readonly columnBlocks: 1 | 2
  /** Values of k that pass through workgroup memory at a time, a multiple of 4. */
  readonly k: number
}

function tile(x: number, y: number, rowBlocks: 1 | 2, columnBlocks: 1 | 2, k: number): Tile {
  return { name: `${4 * y * rowBlocks}x${4 * x * columnBlocks}/${x * y}`, x, y, rowBlocks, columnBlocks, k }
}

const square = tile(16, 16, 1, 1, 16)
const wide = tile(16, 4, 1, 1, 16)
const tall = tile(4, 16, 1, 1, 16)
const small = tile(4, 4, 1, 1, 16)

/** Within the standard's default limits: 256 lanes and 16 KiB of workgroup memory. Large products first. */
export const tiles: readonly Tile[] = [
  tile(16, 16, 2, 2, 16),
  tile(16, 16, 2, 1, 16),
  tile(16, 16, 1, 2, 16),
  tile(8, 8, 2, 2, 16),
  square,
  tile(8, 8, 1, 1, 16),
  wide,
  tall,
  small,
]

export const rowsOf = (t: Tile) => 4 * t.y * t.rowBlocks
export const columnsOf = (t: Tile) => 4 * t.x * t.columnBlocks

/** What is chosen without measurement: no tile that is much larger than the product. */
function usualTile(rows: number, columns: number): Tile {
  if (rows > 32) return columns > 32 ? square : tall
  return columns > 32 ? wide : small
}

/** Tiles worth measuring: those that do not mostly lie outside the product. */
function tilesFor(rows: number, columns: number): Tile[] {
  const usual = usualTile(rows, columns)
  const fits = (t: Tile) => rowsOf(t) < 2 * Math.max(rows, 16) && columnsOf(t) < 2 * Math.max(columns, 16)
  return [usual, ...tiles.filter(t => t !== usual && fits(t))]
}

type MatrixShader = 'conv2d' | 'gemm' | 'matmul'

/** Which operands' elements lie four side by side, at multiples of four, wherever the product reads or writes four. */
interface Fours {
  /** Along k. */
  a: boolean
  /** Across columns. */
  b: boolean
  /** Along k. */
  bDown: boolean
  /** Across columns. */
  y: boolean
}

interface Product {
  shader: MatrixShader
  /** The names of a and b among the kernel's operands. */
  names: readonly [a: string, b: string]
  rows: number
  columns: number
  count: number
  fours: Fours
}

function product(layout: MatrixLayout, p: Product): Call {
  const { shader, rows, columns, count } = p
  const epilogue: Common[] = shader === 'matmul' ? [] : ['activation']
  // The shaders walk on where there are more tiles than workgroups.
  const along = (size: number, each: number) => Math.min(Math.ceil(size / each), workgroupsMax)
  if (layout === 'direct') {
    const x = columns > 32 ? 16 : 4
    const constants = { TILE_X: x, TILE_Y: 1 }
    return {
      variant: { shader, common: [...epilogue, 'store-row', 'direct'], constants, operands: operandsOf(shader) },
      workgroups: [along(columns, 4 * x), along(rows, 8), along(count, 1)],
    }
  }
  const { fours } = p
  const named = { [p.names[0]]: fours.a, [p.names[1]]: fours.b || fours.bDown, y: fours.y }
  const operands = operandsOf(shader).map(operand => ({ ...operand, four: named[operand.name] ?? false }))
  const common: Common[] = [...epilogue, fours.y ? 'store-four' : 'store-row', 'tile']
  const calls = tilesFor(rows, columns).map((t): Call => {
    const size = { TILE_X: t.x, TILE_Y: t.y, TILE_K: t.k, ROW_BLOCKS: t.rowBlocks, COLUMN_BLOCKS: t.columnBlocks }
    const constants = { ...size, FOUR_A: fours.a, FOUR_B: fours.b, FOUR_B_DOWN: fours.bDown }
    return {
      variant: { shader, common, constants, operands },
      workgroups: [along(columns, columnsOf(t)), along(rows, rowsOf(t)), along(count, 1)],
      name: t.name,
    }
  })
  return { ...calls[0], others: calls.slice(1) }
}

const whole = (...sizes: number[]) => sizes.every(size => size % 4 === 0)

/** Rows are y's rows, columns y's columns. */
export function gemmCall(layout: MatrixLayout): Implementation<'gemm'> {
  return p => {
    const down = p.transposeB === 1
    const fours = { a: whole(p.k), b: !down && whole(p.n), bDown: down && whole(p.k), y: whole(p.n) }
    const names = ['a', 'b'] as const
    return product(layout, { shader: 'gemm', names, rows: p.m, columns: p.n, count: p.batch, fours })
  }
}

export function matmulCall(layout: MatrixLayout): Implementation<'matmul'> {
  return p => {
    const aligned = whole(p.strideB0, p.strideB1)
    const fours = {
      a: p.strideAK === 1 && whole(p.k, p.strideAM, p.strideA0, p.strideA1),
      b: p.strideBN === 1 && aligned && whole(p.n, p.strideBK),
      bDown: p.strideBN !== 1 && p.strideBK === 1 && aligned && whole(p.k, p.strideBN),
      y: whole(p.n),
    }
    const names = ['a', 'b'] as const
    return product(layout, { shader: 'matmul', names, rows: p.m, columns: p.n, count: p.batch0 * p.batch1, fours })
  }
}

/** From so many filters a group on, a matrix product shares what it loads among enough rows. */
const depthwiseFiltersMax = 3

/**
 * Rows are a group's filters, columns the output pixels of all images; where groups have one channel and few filters, a
 * kernel of their own.
 */
export function convolutionCall(layout: MatrixLayout, p: KernelParams['conv2d']): Call {
  if (p.channels === p.groups && p.filters / p.groups <= depthwiseFiltersMax) return depthwise(p)
  const area = p.outHeight * p.outWidth
  const pixels = p.kernelH * p.kernelW * p.strideH * p.strideW === 1 && p.padTop + p.padLeft === 0
  const same = pixels && p.outHeight === p.height && p.outWidth === p.width
  const taps = (p.channels / p.groups) * p.kernelH * p.kernelW
  const fours = { a: whole(taps), b: same && whole(area), bDown: false, y: whole(area) }
  return product(layout, {
    shader: 'conv2d',
    names: ['w', 'x'],
    rows: p.filters / p.groups,
    columns: p.batch * area,
    count: p.groups,
    fours,
  })
}

function depthwise(p: KernelParams['conv2d']): Call {
  const constants = { LANES: lanes, SLIDE: p.strideW === 1 && p.dilationW === 1 }
  return {
    variant: { shader: 'conv2d-depthwise', common: ['activation'], constants, operands: operandsOf('conv2d') },
    workgroups: spread(p.batch * p.filters * p.outHeight * Math.ceil(p.outWidth / 4), lanes),
  }
}
