/** What people call a job: its name, and its inputs and models in short. It says nothing that computes. */
import { basename } from 'node:path'
import { shownName } from '../../base/byte-names.ts'
import { fields, list, text } from './fields.ts'

/** What people call a job. */
export interface JobTitle {
  /** `--name`, else the name of its first input. */
  name: string
  /** `photos, more +2`. */
  inputs: string
  /** Names of the models, the first few. */
  models: string[]
}

export const titleCharsMax = 80
const inputsShown = 2
const modelsShown = 8

const short = (name: string) => (name.length > titleCharsMax ? `${name.slice(0, titleCharsMax - 1)}…` : name)

/** @param name default: what the first input is called */
export function titleOf(inputs: readonly string[], models: readonly string[], name?: string): JobTitle {
  const names = inputs.map(input => shownName(basename(input) || input))
  const rest = names.length > inputsShown ? ` +${names.length - inputsShown}` : ''
  return {
    name: short(shownName(name ?? names[0] ?? 'probe')),
    inputs: short(names.slice(0, inputsShown).join(', ')) + rest,
    models: models.slice(0, modelsShown).map(model => short(shownName(model))),
  }
}

/** Throws PeerError when another peer wrote something else. */
export function readTitle(value: unknown): JobTitle {
  const map = fields(value, 'a title')
  return {
    name: text(map.name, titleCharsMax, 'name'),
    // A few characters for the count behind it.
    inputs: text(map.inputs, titleCharsMax + 16, 'inputs'),
    models: list(map.models, modelsShown, 'models', one => text(one, titleCharsMax, 'a model')),
  }
}
