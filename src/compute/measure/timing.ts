/**
 * How long programs and their steps take on a backend. Medians, after a warming turn.
 *
 * A step of a backend that cannot time its steps (a GPU's queue hides them) is timed by difference: a run with the
 * step made over and over, less a run with it made once.
 */
import { median } from '../../base/statistics.ts'
import type { Backend, Executable, RunInputs } from '../backends/types.ts'
import { type PlannedModel, type Program, type Step, stepCost, type Weight } from '../engine/program.ts'
import type { Cost } from '../kernels/contract.ts'
import { makeArray } from '../tensor/dtype.ts'

/** Repetitions that a median is taken of. */
const turnsMin = 3
const turnsMax = 200

/** Long enough that the overhead of a run is negligible. */
const longMs = 2000

/** Repetitions of a step whose time is a difference. */
const repeatsMax = 64

/** The median milliseconds of `work`, repeated for about `budgetMs`. */
export async function medianMs(work: () => Promise<number>, budgetMs: number): Promise<number> {
  const times = [await work()]
  const started = performance.now()
  while (times.length < turnsMin || (times.length < turnsMax && performance.now() - started < budgetMs)) {
    times.push(await work())
  }
  return median(times.slice(1))
}

export async function runMs(executable: Executable, inputs: RunInputs): Promise<number> {
  const started = performance.now()
  await executable.run(inputs)
  return performance.now() - started
}

/** Milliseconds of the one step of `planned`. */
export async function singleStepMs(
  backend: Backend,
  { program, weights }: PlannedModel,
  inputs: RunInputs,
  budgetMs: number,
): Promise<number> {
  const once = await backend.compile(program, weights)
  try {
    const { profile } = once
    if (profile) return await medianMs(async () => (await profile(inputs)).stepMs[0], budgetMs)
    return await differenceMs(backend, { program, weights }, once, inputs, budgetMs)
  } finally {
    once.dispose()
  }
}

async function differenceMs(
  backend: Backend,
  { program, weights }: PlannedModel,
  once: Executable,
  inputs: RunInputs,
  budgetMs: number,
): Promise<number> {
  await runMs(once, inputs)
  const first = await runMs(once, inputs)
  // A step that takes this long is as good as all of its run.
  if (first > longMs) return first
  // As many as the budget lets five turns have: the more, the less the rest of a run counts.
  const repeats = Math.max(2, Math.min(repeatsMax, Math.floor(budgetMs / 5 / Math.max(first, 0.01))))
  const steps = Array.from({ length: repeats }, () => program.steps[0])
  const often = await backend.compile({ ...program, steps }, weights)
  try {
    const pair = async () => {
      const single = await runMs(once, inputs)
      return ((await runMs(often, inputs)) - single) / (repeats - 1)
    }
    return Math.max(0, await medianMs(pair, budgetMs))
  } finally {
    often.dispose()
  }
}

export interface StepTime {
  step: Step
  ms: number
  cost: Cost
}

/** The time of every step of a program; equal steps (the same kernel and params) are measured once where each is measured alone. */
export async function stepTimes(
  backend: Backend,
  planned: PlannedModel,
  inputs: RunInputs,
  budgetMs: number,
): Promise<StepTime[]> {
  const { program, weights } = planned
  const executable = await backend.compile(program, weights)
  try {
    const { profile } = executable
    if (profile) return await profiled(program, async () => (await profile(inputs)).stepMs, budgetMs)
  } finally {
    executable.dispose()
  }
  const known = new Map<string, number>()
  const keyOf = (step: Step) => `${step.kernel} ${JSON.stringify(step.params)}`
  const distinct = new Set(program.steps.map(keyOf)).size
  const times: StepTime[] = []
  for (const step of program.steps) {
    const key = keyOf(step)
    const ms = known.get(key) ?? (await aloneMs(backend, program, weights, step, budgetMs / distinct))
    known.set(key, ms)
    times.push({ step, ms, cost: stepCost(step) })
  }
  return times
}

async function profiled(program: Program, run: () => Promise<number[]>, budgetMs: number): Promise<StepTime[]> {
  const turns: number[][] = []
  await medianMs(async () => turns.push(await run()), budgetMs)
  return program.steps.map((step, i) => ({
    step,
    ms: median(turns.slice(1).map(turn => turn[i])),
    cost: stepCost(step),
  }))
}

/** A step as a program of its own: what it reads from other steps becomes inputs. */
function aloneMs(
  backend: Backend,
  program: Program,
  weights: readonly Weight[],
  step: Step,
  budgetMs: number,
): Promise<number> {
  const read = [...new Set(step.inputs)].filter(
    (buffer): buffer is number => buffer !== null && program.buffers[buffer].kind !== 'weight',
  )
  const buffers = program.buffers.map((buffer, i) =>
    read.includes(i) ? { ...buffer, kind: 'input' as const } : buffer,
  )
  const inputs = read.map((buffer, i) => {
    const { dtype, elements } = buffers[buffer]
    return { name: `in${i}`, buffer, dtype, dims: [elements] }
  })
  // Its result is read, or nobody would wait for it.
  const { dtype, elements } = buffers[step.output]
  const outputs = [{ name: 'out', buffer: step.output, dtype, dims: [elements] }]
  const alone: Program = { ...program, buffers, inputs, outputs, steps: [step] }
  const data = inputs.map(({ name, dtype, dims }) => [name, makeArray(dtype, dims[0])] as const)
  return singleStepMs(backend, { program: alone, weights }, Object.fromEntries(data), budgetMs)
}
