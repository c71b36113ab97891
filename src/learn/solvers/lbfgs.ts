/**
 * L-BFGS as a function from round to round: each round evaluates the objective and its gradient at one trial point, and a
 * step of the line search or of the method follows. All of its memory is in arrays, so that any peer can go on with it.
 *
 * The line search brackets a step that satisfies the weak Wolfe conditions.
 * Source: Nocedal and Wright, "Numerical Optimization", 2006, algorithm 7.4; Lewis and Overton, "Nonsmooth optimization via
 * quasi-Newton methods", 2013, for the search.
 */
import type { Arrays, Layout } from '../arrays.ts'

/** Pairs of differences that are remembered; 5 to 20 are usual. */
const memory = 10
const [decrease, curvature] = [1e-4, 0.9]
const searchMax = 30
/** Rounds in a row that gain less than `gainMin` of the objective end it: float32 sums hold no more. */
const stallsMax = 5
const gainMin = 1e-9

/** Places in `state`. */
const at = { value: 0, step: 1, low: 2, high: 3, slope: 4, tries: 5, pairs: 6, stalls: 7, begun: 8 } as const
const stateLength = 9

export function lbfgsLayout(n: number): Layout {
  return { trial: n, point: n, gradient: n, direction: n, steps: memory * n, turns: memory * n, state: stateLength }
}

/** Begins at `trial`. */
export function lbfgsStart(trial: Float64Array): Arrays {
  const n = trial.length
  const zeros = () => new Float64Array(n)
  return {
    ...{ trial, point: trial.slice(), gradient: zeros(), direction: zeros() },
    ...{
      steps: new Float64Array(memory * n),
      turns: new Float64Array(memory * n),
      state: new Float64Array(stateLength),
    },
  }
}

export interface LbfgsInit {
  /** Ends when no element of the gradient is larger. */
  gradientMax: number
}

/** What follows from the objective and its gradient at `trial`. Once done, `point` is the best that was found. */
export function lbfgsStep(
  arrays: Arrays,
  value: number,
  gradient: Float64Array,
  { gradientMax }: LbfgsInit,
): { arrays: Arrays; done: boolean } {
  const state = arrays.state.slice()
  if (state[at.begun] === 0) {
    state[at.begun] = 1
    const next = { ...arrays, point: arrays.trial, gradient, state }
    return accept(next, value, gradientMax)
  }
  const slope = state[at.slope]
  const falls = value <= state[at.value] + decrease * state[at.step] * slope
  if (falls && dot(gradient, arrays.direction) >= curvature * slope)
    return adopt(arrays, state, value, gradient, gradientMax)
  state[at.tries]++
  if (state[at.tries] > searchMax) {
    // Rounding hides what is left to gain. A step that falls is still better than none.
    if (falls) return { arrays: { ...arrays, point: arrays.trial, gradient, state }, done: true }
    return { arrays: { ...arrays, trial: arrays.point, state }, done: true }
  }
  if (falls) state[at.low] = state[at.step]
  else state[at.high] = state[at.step]
  state[at.step] = state[at.high] > 0 ? (state[at.low] + state[at.high]) / 2 : 2 * state[at.step]
  return { arrays: { ...arrays, trial: along(arrays, state[at.step]), state }, done: false }
}

/** The trial point becomes the point; what changed on the way is remembered. */
function adopt(arrays: Arrays, state: Float64Array, value: number, gradient: Float64Array, gradientMax: number) {
  const n = gradient.length
  const step = arrays.trial.map((x, i) => x - arrays.point[i])
  const turn = gradient.map((g, i) => g - arrays.gradient[i])
  let { steps, turns } = arrays
  if (dot(step, turn) > 1e-10 * Math.sqrt(dot(step, step) * dot(turn, turn))) {
    // The oldest pair is first.
    const full = state[at.pairs] === memory
    const keep = full ? memory - 1 : state[at.pairs]
    steps = shifted(steps, full ? n : 0, keep, step)
    turns = shifted(turns, full ? n : 0, keep, turn)
    state[at.pairs] = keep + 1
  }
  const gain = state[at.value] - value
  state[at.stalls] = gain <= gainMin * Math.abs(value) ? state[at.stalls] + 1 : 0
  return accept({ ...arrays, point: arrays.trial, gradient, steps, turns, state }, value, gradientMax)
}

function shifted(pairs: Float64Array, from: number, keep: number, last: Float64Array): Float64Array {
  const next = new Float64Array(pairs.length)
  next.set(pairs.subarray(from, from + keep * last.length))
  next.set(last, keep * last.length)
  return next
}

/** A new direction from the point that was just accepted. */
function accept(arrays: Arrays, value: number, gradientMax: number): { arrays: Arrays; done: boolean } {
  const { gradient } = arrays
  const state = arrays.state.slice()
  state[at.value] = value
  const largest = gradient.reduce((most, g) => Math.max(most, Math.abs(g)), 0)
  const done = !(largest > gradientMax) || state[at.stalls] >= stallsMax
  if (done) return { arrays: { ...arrays, trial: arrays.point, state }, done }
  const direction = newDirection(arrays, state[at.pairs])
  state[at.slope] = dot(direction, gradient)
  state[at.step] = state[at.pairs] === 0 ? Math.min(1, 1 / Math.sqrt(dot(gradient, gradient))) : 1
  state[at.low] = 0
  state[at.high] = 0
  state[at.tries] = 0
  const next = { ...arrays, direction, state }
  return { arrays: { ...next, trial: along(next, state[at.step]) }, done }
}

/** The two loops. */
function newDirection({ gradient, steps, turns }: Arrays, pairs: number): Float64Array {
  const n = gradient.length
  const direction = gradient.map(g => -g)
  const alphas: number[] = []
  const pair = (i: number) => [steps.subarray(i * n, (i + 1) * n), turns.subarray(i * n, (i + 1) * n)]
  for (let i = pairs - 1; i >= 0; i--) {
    const [step, turn] = pair(i)
    alphas[i] = dot(step, direction) / dot(step, turn)
    addScaled(direction, turn, -alphas[i])
  }
  if (pairs > 0) {
    const [step, turn] = pair(pairs - 1)
    const scale = dot(step, turn) / dot(turn, turn)
    for (let l = 0; l < n; l++) direction[l] *= scale
  }
  for (let i = 0; i < pairs; i++) {
    const [step, turn] = pair(i)
    addScaled(direction, step, alphas[i] - dot(turn, direction) / dot(step, turn))
  }
  return direction
}

function along({ point, direction }: Arrays, step: number): Float64Array {
  return point.map((x, i) => x + step * direction[i])
}

function addScaled(to: Float64Array, from: Float64Array, factor: number): void {
  for (let i = 0; i < to.length; i++) to[i] += factor * from[i]
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}
