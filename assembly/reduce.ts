/**
 * reduce: one number for each line along an axis.
 *
 * Shapes: x [outer, axis, inner], y [outer, inner]. Params: src/compute/kernels/reduce.ts. No scratch.
 * Numerics: where the axis is contiguous four partial results, then those of what remains, then their combination; else
 *           four neighbouring lines at a time, each in the order of the axis.
 * Source: ONNX Reduce*, ArgMax, ArgMin.
 */
import { exp4, log4, madd, storeLanes } from './simd'

const SUM: u32 = 0
const MEAN: u32 = 1
const MAX: u32 = 2
const MIN: u32 = 3
const PROD: u32 = 4
const L1: u32 = 5
const L2: u32 = 6
const SUM_SQUARE: u32 = 7
const LOG_SUM: u32 = 8
const LOG_SUM_EXP: u32 = 9
const ARG_MAX: u32 = 10
const ARG_MIN: u32 = 11

// How elements are combined, whatever is done to them before and after. Only an inlined constant counts as a literal,
// so that one case remains of each function that takes it.
// @ts-ignore: decorator
@inline
const ADD: u32 = 0
// @ts-ignore: decorator
@inline
const ADD_SQUARE: u32 = 1
// @ts-ignore: decorator
@inline
const ADD_SIZE: u32 = 2
// @ts-ignore: decorator
@inline
const ADD_EXP: u32 = 3
// @ts-ignore: decorator
@inline
const MULTIPLY: u32 = 4
// @ts-ignore: decorator
@inline
const LARGEST: u32 = 5
// @ts-ignore: decorator
@inline
const SMALLEST: u32 = 6

// @ts-ignore: decorator
@inline
function start(way: u32): v128 {
  if (way == MULTIPLY) return f32x4.splat(1)
  if (way == LARGEST) return f32x4.splat(-Infinity)
  if (way == SMALLEST) return f32x4.splat(Infinity)
  return f32x4.splat(0)
}

/** @param top the line's largest element, for ADD_EXP */
// @ts-ignore: decorator
@inline
function step(way: u32, so: v128, x: v128, top: v128): v128 {
  if (way == ADD) return f32x4.add(so, x)
  if (way == ADD_SQUARE) return madd(x, x, so)
  if (way == ADD_SIZE) return f32x4.add(so, f32x4.abs(x))
  if (way == ADD_EXP) return f32x4.add(so, exp4(f32x4.sub(x, top)))
  if (way == MULTIPLY) return f32x4.mul(so, x)
  // These pass NaN over, at a seventh of the cost of max and min; `noNumber` brings it back.
  if (way == LARGEST) return f32x4.pmax(so, x)
  return f32x4.pmin(so, x)
}

/** All bits set in the lanes where NaN was met, for the ways that pass it over. */
// @ts-ignore: decorator
@inline
function noNumber(way: u32, so: v128, x: v128): v128 {
  return way >= LARGEST ? v128.or(so, f32x4.ne(x, x)) : so
}

/** Two partial results as one. */
// @ts-ignore: decorator
@inline
function join(way: u32, a: v128, b: v128): v128 {
  if (way == MULTIPLY) return f32x4.mul(a, b)
  if (way == LARGEST) return f32x4.max(a, b)
  if (way == SMALLEST) return f32x4.min(a, b)
  return f32x4.add(a, b)
}

/** A contiguous line; all lanes hold the result. */
// @ts-ignore: decorator
@inline
function along(way: u32, x: usize, axis: u32, top: v128): v128 {
  let so = start(way), also = start(way), bad = f32x4.splat(0)
  let c: u32 = 0
  for (; c + 8 <= axis; c += 8) {
    const left = v128.load(x + (c << 2)), right = v128.load(x + (c << 2), 16)
    so = step(way, so, left, top)
    also = step(way, also, right, top)
    bad = noNumber(way, noNumber(way, bad, left), right)
  }
  so = v128.or(join(way, so, also), bad)
  let rest = start(way)
  bad = f32x4.splat(0)
  for (; c < axis; c++) {
    const value = v128.load32_splat(x + (c << 2))
    rest = step(way, rest, value, top)
    bad = noNumber(way, bad, value)
  }
  rest = v128.or(rest, bad)
  so = join(way, so, v128.shuffle<f32>(so, so, 2, 3, 0, 1))
  so = join(way, so, v128.shuffle<f32>(so, so, 1, 0, 3, 2))
  return join(way, so, rest)
}

/** Four neighbouring lines, `stepBytes` from one element to the next. */
// @ts-ignore: decorator
@inline
function across(way: u32, x: usize, axis: u32, stepBytes: u32, top: v128): v128 {
  let so = start(way), bad = f32x4.splat(0)
  for (let c: u32 = 0; c < axis; c++) {
    const value = v128.load(x)
    so = step(way, so, value, top)
    bad = noNumber(way, bad, value)
    x += stepBytes
  }
  return v128.or(so, bad)
}

function whole(way: u32, x: usize, axis: u32, inner: u32, top: v128): v128 {
  const bytes = inner << 2
  if (inner == 1) {
    if (way == ADD) return along(ADD, x, axis, top)
    if (way == ADD_SQUARE) return along(ADD_SQUARE, x, axis, top)
    if (way == ADD_SIZE) return along(ADD_SIZE, x, axis, top)
    if (way == ADD_EXP) return along(ADD_EXP, x, axis, top)
    if (way == MULTIPLY) return along(MULTIPLY, x, axis, top)
    return way == LARGEST ? along(LARGEST, x, axis, top) : along(SMALLEST, x, axis, top)
  }
  if (way == ADD) return across(ADD, x, axis, bytes, top)
  if (way == ADD_SQUARE) return across(ADD_SQUARE, x, axis, bytes, top)
  if (way == ADD_SIZE) return across(ADD_SIZE, x, axis, bytes, top)
  if (way == ADD_EXP) return across(ADD_EXP, x, axis, bytes, top)
  if (way == MULTIPLY) return across(MULTIPLY, x, axis, bytes, top)
  return way == LARGEST ? across(LARGEST, x, axis, bytes, top) : across(SMALLEST, x, axis, bytes, top)
}

function lines(op: u32, x: usize, axis: u32, inner: u32): v128 {
  const none = f32x4.splat(0)
  if (op == SUM) return whole(ADD, x, axis, inner, none)
  if (op == MEAN) return f32x4.div(whole(ADD, x, axis, inner, none), f32x4.splat(<f32>axis))
  if (op == MAX) return whole(LARGEST, x, axis, inner, none)
  if (op == MIN) return whole(SMALLEST, x, axis, inner, none)
  if (op == PROD) return whole(MULTIPLY, x, axis, inner, none)
  if (op == L1) return whole(ADD_SIZE, x, axis, inner, none)
  if (op == L2) return f32x4.sqrt(whole(ADD_SQUARE, x, axis, inner, none))
  if (op == SUM_SQUARE) return whole(ADD_SQUARE, x, axis, inner, none)
  if (op == LOG_SUM) return log4(whole(ADD, x, axis, inner, none))
  const top = whole(LARGEST, x, axis, inner, none)
  const result = f32x4.add(top, log4(whole(ADD_EXP, x, axis, inner, top)))
  // An infinity minus itself would make NaN of it.
  return v128.bitselect(top, result, f32x4.eq(f32x4.abs(top), f32x4.splat(Infinity)))
}

/**
 * The place of the largest (or smallest) of one contiguous line: first what it is, then where. Both pass NaN over; in a line
 * without any number nothing is found.
 */
// @ts-ignore: decorator
@inline
function placeOf(way: u32, x: usize, axis: u32, selectLast: u32): f32 {
  let so = start(way), also = start(way)
  let c: u32 = 0
  for (; c + 8 <= axis; c += 8) {
    so = step(way, so, v128.load(x + (c << 2)), so)
    also = step(way, also, v128.load(x + (c << 2), 16), also)
  }
  for (; c < axis; c++) so = step(way, so, v128.load32_splat(x + (c << 2)), so)
  so = overall(way, step(way, so, also, so))
  let found: u32 = 0
  for (c = 0; c < axis; c += 4) {
    // Lanes beyond the end hold whatever comes next.
    const here: u32 = axis - c >= 4 ? 15 : (1 << (axis - c)) - 1
    const equal = i32x4.bitmask(f32x4.eq(v128.load(x + (c << 2)), so)) & here
    if (!equal) continue
    if (!selectLast) return <f32>(c + ctz(equal))
    found = c + 31 - clz(equal)
  }
  return <f32>found
}

/** The best of four lanes, in all of them. */
// @ts-ignore: decorator
@inline
function overall(way: u32, x: v128): v128 {
  const two = step(way, x, v128.shuffle<f32>(x, x, 2, 3, 0, 1), x)
  return step(way, two, v128.shuffle<f32>(two, two, 1, 0, 3, 2), x)
}

/**
 * The same for the first place in a line of whole vectors, without a branch that the data decides: where a line ends is
 * anybody's guess, and a wrong guess costs a processor more than all of 32 elements.
 */
// @ts-ignore: decorator
@inline
function firstOf(way: u32, x: usize, axis: u32): f32 {
  let best = start(way), places = i32x4.splat(0), here = i32x4.splat(0)
  const one = i32x4.splat(1)
  for (let at: usize = x, end = x + (axis << 2); at < end; at += 16) {
    const value = v128.load(at)
    const better = way == LARGEST ? f32x4.gt(value, best) : f32x4.lt(value, best)
    best = step(way, best, value, best)
    places = v128.bitselect(here, places, better)
    here = i32x4.add(here, one)
  }
  const so = overall(way, best)
  // Nothing but infinities of the wrong sign, or NaN.
  if (f32x4.extract_lane(so, 0) == f32x4.extract_lane(start(way), 0)) return placeOf(way, x, axis, 0)
  const all = i32x4.add(i32x4.shl(places, 2), i32x4(0, 1, 2, 3))
  let first = v128.bitselect(all, i32x4.splat(i32.MAX_VALUE), f32x4.eq(best, so))
  first = i32x4.min_s(first, v128.shuffle<i32>(first, first, 2, 3, 0, 1))
  first = i32x4.min_s(first, v128.shuffle<i32>(first, first, 1, 0, 3, 2))
  return <f32>i32x4.extract_lane(first, 0)
}

function place(x: usize, axis: u32, op: u32, selectLast: u32): f32 {
  if ((axis & 3) == 0 && !selectLast) return op == ARG_MAX ? firstOf(LARGEST, x, axis) : firstOf(SMALLEST, x, axis)
  return op == ARG_MAX ? placeOf(LARGEST, x, axis, selectLast) : placeOf(SMALLEST, x, axis, selectLast)
}

/** The places of four neighbouring lines. */
function places(x: usize, axis: u32, step: u32, sign: v128, selectLast: u32): v128 {
  let best = f32x4.splat(NaN), found = f32x4.splat(0)
  const last = i32x4.splat(selectLast ? -1 : 0)
  for (let c: u32 = 0; c < axis; c++) {
    const value = f32x4.mul(sign, v128.load(x))
    const first = v128.and(f32x4.ne(best, best), f32x4.eq(value, value))
    const equal = v128.and(f32x4.eq(value, best), last)
    const better = v128.or(v128.or(f32x4.gt(value, best), first), equal)
    best = v128.bitselect(value, best, better)
    found = v128.bitselect(f32x4.splat(<f32>c), found, better)
    x += step
  }
  return found
}

export function reduce(x: usize, y: usize, scratch: usize, outer: u32, axis: u32, inner: u32, op: u32, selectLast: u32): void {
  const sign: f32 = op == ARG_MIN ? -1 : 1
  const step = inner << 2
  for (let o: u32 = 0; o < outer; o++) {
    for (let i: u32 = 0; i < inner; i += 4) {
      const at = x + (i << 2)
      let value: v128
      if (op < ARG_MAX) value = lines(op, at, axis, inner)
      else if (inner == 1) value = f32x4.splat(place(at, axis, op, selectLast))
      else value = places(at, axis, step, f32x4.splat(sign), selectLast)
      storeLanes(y + (i << 2), value, inner - i)
    }
    x += axis * step
    y += step
  }
}
