/**
 * conv2d-channels-last-winograd: 3 x 3 convolution of stride 1 by Winograd's F(4 x 4, 3 x 3): every tile of 4 x 4 outputs from 6 x 6
 * inputs d is Y = A' [ sum over c of (G w G') * (B' d B) ] A, 36 products instead of 144.
 *
 * Shapes: x [batch, height, width, channels], residual and y [batch, outHeight, outWidth, filters], channels and filters multiples
 *         of 8, bias [filters]; w packed by src/compute/backends/wasm/packing.ts (in doubles, rounded once): 36 sets of panels of G w G'.
 *         Params: src/compute/kernels/conv2d-channels-last.ts.
 * Scratch: an edge tile, 36 addresses, a table of constants, a tile [6][6][8], zeros [a pixel], addresses of rows, then v [36][block]
 *         [channels] and z [36][block][filters], planes 64 bytes apart.
 * Numerics: not the direct sum's bits: its relative error (L2) is some 3e-6 instead of 1e-6. Where an infinity or NaN comes in, all of
 *         its tile's outputs may be NaN. What a tile gives does not depend on the tiles beside it.
 * Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016.
 *
 * Vectors come in pairs (p, q), see tile16.ts; constants come from memory, for V8 makes one in the code anew at every use.
 */
import { EDGE_BYTES, highest, lowest, panels } from './panels'
import { bound, madd } from './simd'

/** One tile's 36 input vectors of `channels`, transformed, into v's 36 planes (`plane` bytes apart). */
function transformInput(addresses: usize, tmp: usize, v: usize, plane: u32, channels: u32, table: usize): void {
  const k4 = v128.load32_splat(table), k2 = v128.load32_splat(table, 4), m2 = v128.load32_splat(table, 8)
  const m4 = v128.load32_splat(table, 12), m5 = v128.load32_splat(table, 16)
  for (let c: u32 = 0; c < channels << 2; c += 32) {
    let from = addresses, to = tmp
    // Columns: tmp[i][j] = sum over r of B'[i][r] d[r][j].
    for (let j: u32 = 0; j < 6; j++) {
      const d0 = <usize>load<u32>(from) + c
      const d1 = <usize>load<u32>(from, 24) + c
      const d2 = <usize>load<u32>(from, 48) + c
      const d3 = <usize>load<u32>(from, 72) + c
      const d4 = <usize>load<u32>(from, 96) + c
      const d5 = <usize>load<u32>(from, 120) + c
      const p0 = v128.load(d0)
      const q0 = v128.load(d0, 16)
      const p1 = v128.load(d1)
      const q1 = v128.load(d1, 16)
      const p2 = v128.load(d2)
      const q2 = v128.load(d2, 16)
      const p3 = v128.load(d3)
      const q3 = v128.load(d3, 16)
      const p4 = v128.load(d4)
      const q4 = v128.load(d4, 16)
      const p5 = v128.load(d5)
      const q5 = v128.load(d5, 16)
      const pv0 = madd(p2, m5, madd(p0, k4, p4))
      const qv0 = madd(q2, m5, madd(q0, k4, q4))
      const pe = madd(p2, m4, p4)
      const qe = madd(q2, m4, q4)
      const po = madd(p1, m4, p3)
      const qo = madd(q1, m4, q3)
      const pf = f32x4.sub(p4, p2)
      const qf = f32x4.sub(q4, q2)
      const pg = f32x4.sub(p3, p1)
      const qg = f32x4.sub(q3, q1)
      const pv1 = f32x4.add(pe, po)
      const qv1 = f32x4.add(qe, qo)
      const pv2 = f32x4.sub(pe, po)
      const qv2 = f32x4.sub(qe, qo)
      const pv3 = madd(pg, k2, pf)
      const qv3 = madd(qg, k2, qf)
      const pv4 = madd(pg, m2, pf)
      const qv4 = madd(qg, m2, qf)
      const pv5 = madd(p3, m5, madd(p1, k4, p5))
      const qv5 = madd(q3, m5, madd(q1, k4, q5))
      v128.store(to, pv0)
      v128.store(to, qv0, 16)
      v128.store(to, pv1, 192)
      v128.store(to, qv1, 208)
      v128.store(to, pv2, 384)
      v128.store(to, qv2, 400)
      v128.store(to, pv3, 576)
      v128.store(to, qv3, 592)
      v128.store(to, pv4, 768)
      v128.store(to, qv4, 784)
      v128.store(to, pv5, 960)
      v128.store(to, qv5, 976)
      from += 4
      to += 32
    }
    let row = tmp, at = v + c
    for (let i: u32 = 0; i < 6; i++) {
      const p0 = v128.load(row)
      const q0 = v128.load(row, 16)
      const p1 = v128.load(row, 32)
      const q1 = v128.load(row, 48)
      const p2 = v128.load(row, 64)
      const q2 = v128.load(row, 80)
      const p3 = v128.load(row, 96)
      const q3 = v128.load(row, 112)
      const p4 = v128.load(row, 128)
      const q4 = v128.load(row, 144)
      const p5 = v128.load(row, 160)
      const q5 = v128.load(row, 176)
      const pv0 = madd(p2, m5, madd(p0, k4, p4))
      const qv0 = madd(q2, m5, madd(q0, k4, q4))
      const pe = madd(p2, m4, p4)
      const qe = madd(q2, m4, q4)
      const po = madd(p1, m4, p3)
      const qo = madd(q1, m4, q3)
      const pf = f32x4.sub(p4, p2)
      const qf = f32x4.sub(q4, q2)
      const pg = f32x4.sub(p3, p1)
      const qg = f32x4.sub(q3, q1)
      const pv1 = f32x4.add(pe, po)
      const qv1 = f32x4.add(qe, qo)
      const pv2 = f32x4.sub(pe, po)
      const qv2 = f32x4.sub(qe, qo)
      const pv3 = madd(pg, k2, pf)
      const qv3 = madd(qg, k2, qf)
      const pv4 = madd(pg, m2, pf)
      const qv4 = madd(qg, m2, qf)
      const pv5 = madd(p3, m5, madd(p1, k4, p5))
      const qv5 = madd(q3, m5, madd(q1, k4, q5))
      v128.store(at, pv0)
      v128.store(at, qv0, 16)
      at += plane
      v128.store(at, pv1)
      v128.store(at, qv1, 16)
      at += plane
      v128.store(at, pv2)
      v128.store(at, qv2, 16)
      at += plane
      v128.store(at, pv3)
      v128.store(at, qv3, 16)
      at += plane
      v128.store(at, pv4)
      v128.store(at, qv4, 16)
      at += plane
      v128.store(at, pv5)
      v128.store(at, qv5, 16)
      at += plane
      row += 192
    }
  }
}

/** One tile's 36 vectors of `filters` out of z's planes, transformed, with the epilogue, to at most 4 x 4 pixels of y. */
function transformOutput(
  z: usize, plane: u32, tmp: usize, bias: usize, residual: usize, y: usize, filters: u32, lineStride: u32, rows: u32, columns: u32,
  clipMin: f32, clipMax: f32, table: usize,
): void {
  const k4 = v128.load32_splat(table), k2 = v128.load32_splat(table, 4), k8 = v128.load32_splat(table, 20)
  const low = f32x4.splat(clipMin), high = f32x4.splat(clipMax)
  const stride = filters << 2
  for (let c: u32 = 0; c < stride; c += 32) {
    let to = tmp
    let from = z + c
    // Columns first: tmp[i][j] = sum over r of A'[i][r] z[r][j].
    for (let j: u32 = 0; j < 6; j++) {
      const d0 = from
      const d1 = from + 6 * plane
      const d2 = from + 12 * plane
      const d3 = from + 18 * plane
      const d4 = from + 24 * plane
      const d5 = from + 30 * plane
      const p0 = v128.load(d0)
      const q0 = v128.load(d0, 16)
      const p1 = v128.load(d1)
      const q1 = v128.load(d1, 16)
      const p2 = v128.load(d2)
      const q2 = v128.load(d2, 16)
      const p3 = v128.load(d3)
      const q3 = v128.load(d3, 16)
      const p4 = v128.load(d4)
      const q4 = v128.load(d4, 16)
      const p5 = v128.load(d5)
      const q5 = v128.load(d5, 16)
      const ps = f32x4.add(p1, p2)
      const qs = f32x4.add(q1, q2)
      const pt = f32x4.sub(p1, p2)
      const qt = f32x4.sub(q1, q2)
      const pu = f32x4.add(p3, p4)
      const qu = f32x4.add(q3, q4)
      const pw = f32x4.sub(p3, p4)
      const qw = f32x4.sub(q3, q4)
      const py0 = f32x4.add(f32x4.add(p0, ps), pu)
      const qy0 = f32x4.add(f32x4.add(q0, qs), qu)
      const py1 = madd(pw, k2, pt)
      const qy1 = madd(qw, k2, qt)
      const py2 = madd(pu, k4, ps)
      const qy2 = madd(qu, k4, qs)
      const py3 = f32x4.add(madd(pw, k8, pt), p5)
      const qy3 = f32x4.add(madd(qw, k8, qt), q5)
      v128.store(to, py0)
      v128.store(to, qy0, 16)
      v128.store(to, py1, 192)
      v128.store(to, qy1, 208)
      v128.store(to, py2, 384)
      v128.store(to, qy2, 400)
      v128.store(to, py3, 576)
      v128.store(to, qy3, 592)
      from += plane
      to += 32
    }
    const bp = v128.load(bias + c), bq = v128.load(bias + c, 16)
    let row = tmp
    for (let i: u32 = 0; i < rows; i++) {
      const p0 = v128.load(row)
      const q0 = v128.load(row, 16)
      const p1 = v128.load(row, 32)
      const q1 = v128.load(row, 48)
      const p2 = v128.load(row, 64)
      const q2 = v128.load(row, 80)
      const p3 = v128.load(row, 96)
      const q3 = v128.load(row, 112)
      const p4 = v128.load(row, 128)
      const q4 = v128.load(row, 144)
      const p5 = v128.load(row, 160)
      const q5 = v128.load(row, 176)
      const ps = f32x4.add(p1, p2)
      const qs = f32x4.add(q1, q2)
      const pt = f32x4.sub(p1, p2)
      const qt = f32x4.sub(q1, q2)
      const pu = f32x4.add(p3, p4)
      const qu = f32x4.add(q3, q4)
      const pw = f32x4.sub(p3, p4)
      const qw = f32x4.sub(q3, q4)
      const py0 = f32x4.add(f32x4.add(p0, ps), pu)
      const qy0 = f32x4.add(f32x4.add(q0, qs), qu)
      const py1 = madd(pw, k2, pt)
      const qy1 = madd(qw, k2, qt)
      const py2 = madd(pu, k4, ps)
      const qy2 = madd(qu, k4, qs)
      const py3 = f32x4.add(madd(pw, k8, pt), p5)
      const qy3 = f32x4.add(madd(qw, k8, qt), q5)
      v128.store(row, f32x4.add(py0, bp), 0)
      v128.store(row, f32x4.add(qy0, bq), 16)
      v128.store(row, f32x4.add(py1, bp), 32)
      v128.store(row, f32x4.add(qy1, bq), 48)
      v128.store(row, f32x4.add(py2, bp), 64)
      v128.store(row, f32x4.add(qy2, bq), 80)
      v128.store(row, f32x4.add(py3, bp), 96)
      v128.store(row, f32x4.add(qy3, bq), 112)
      let at = y + i * lineStride + c
      let line = row
      if (residual) {
        let add = residual + i * lineStride + c
        for (let j: u32 = 0; j < columns; j++) {
          const p = bound(f32x4.add(v128.load(line), v128.load(add)), low, high)
          const q = bound(f32x4.add(v128.load(line, 16), v128.load(add, 16)), low, high)
          v128.store(at, p)
          v128.store(at, q, 16)
          at += stride
          add += stride
          line += 32
        }
      } else {
        for (let j: u32 = 0; j < columns; j++) {
          const p = bound(v128.load(line), low, high)
          const q = bound(v128.load(line, 16), low, high)
          v128.store(at, p)
          v128.store(at, q, 16)
          at += stride
          line += 32
        }
      }
      row += 192
    }
  }
}

export function conv2dChannelsLastWinograd(
  x: usize, w: usize, bias: usize, residual: usize, y: usize, scratch: usize,
  batch: u32, channels: u32, height: u32, width: u32, filters: u32, kernelH: u32, kernelW: u32, outHeight: u32, outWidth: u32,
  strideH: u32, strideW: u32, padTop: u32, padLeft: u32, dilationH: u32, dilationW: u32, groups: u32,
  hasBias: u32, hasResidual: u32, activation: u32, clipMin: f32, clipMax: f32,
): void {
  const low = lowest(activation, clipMin), high = highest(activation, clipMax)
  const tilesY = (outHeight + 3) >> 2, tilesX = (outWidth + 3) >> 2
  const tiles = batch * tilesY * tilesX
  const pixel = channels << 2, out = filters << 2
  const addresses = scratch + EDGE_BYTES
  const table = addresses + 192
  store<f32>(table, 4)
  store<f32>(table, 2, 4)
  store<f32>(table, -2, 8)
  store<f32>(table, -4, 12)
  store<f32>(table, -5, 16)
  store<f32>(table, 8, 20)
  const tmp = table + 64
  const zeros = tmp + 1152
  const zeroBytes = (max(pixel, out) + 127) & ~63
  memory.fill(zeros, 0, zeroBytes)
  const rows = zeros + zeroBytes
  const block = winogradBlock(channels, filters)
  // A few odd lines between planes keep the 36 of them out of the same sets of the cache.
  const planeV = block * pixel + 64, planeZ = block * out + 64
  const v = rows + ((block / 6) * 24 + 63 & ~63)
  const z = v + 36 * planeV
  const rest = filters & 15
  const panelBytes = <usize>(((filters >> 4) * 16 + (rest == 0 ? 0 : 8)) * channels) << 2
  for (let first: u32 = 0; first < tiles; first += block) {
    const count = min(block, tiles - first)
    for (let t: u32 = 0; t < count; t++) {
      const tile = first + t
      const ty = (tile / tilesX) % tilesY, tx = tile % tilesX, n = tile / (tilesX * tilesY)
      const image = x + <usize>(n * height * width) * pixel
      let to = addresses
      for (let i: u32 = 0; i < 6; i++) {
        const iy = ty * 4 + i - padTop
        for (let j: u32 = 0; j < 6; j++) {
          const ix = tx * 4 + j - padLeft
          // Unsigned: what is left of or above the image is a huge number.
          store<u32>(to, <u32>(iy < height && ix < width ? image + <usize>(iy * width + ix) * pixel : zeros))
          to += 4
        }
      }
      transformInput(addresses, tmp, v + t * pixel, planeV, channels, table)
    }
    const padded = ((count + 5) / 6) * 6
    for (let i: u32 = 0; i < 36; i++) {
      let from = v + i * planeV
      const last = from + (count - 1) * pixel
      for (let r: u32 = 0; r < padded; r++) {
        store<u32>(rows + (r << 2), <u32>min(from, last))
        from += pixel
      }
      panels(
        rows, count, 1, channels, w + <usize>i * panelBytes, zeros, 0, z + i * planeZ, filters, out, -Infinity, Infinity, scratch,
      )
    }
    for (let t: u32 = 0; t < count; t++) {
      const tile = first + t
      const ty = (tile / tilesX) % tilesY, tx = tile % tilesX, n = tile / (tilesX * tilesY)
      const at = <usize>((n * outHeight + ty * 4) * outWidth + tx * 4) * out
      transformOutput(
        z + t * out, planeZ, tmp, hasBias ? bias : zeros, hasResidual ? residual + at : 0, y + at, filters, outWidth * out,
        min<u32>(4, outHeight - ty * 4), min<u32>(4, outWidth - tx * 4), low, high, table,
      )
    }
  }
}

/** Tiles of a block: a multiple of 6 whose v and z lie in about 600 kB of cache. */
// @ts-ignore: decorator
@inline
function winogradBlock(channels: u32, filters: u32): u32 {
  return max<u32>(12, min<u32>(96, (600000 / (144 * (channels + filters)) / 6) * 6))
}
