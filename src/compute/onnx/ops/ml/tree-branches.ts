/**
 * Every mode of a tree's branch as `x <= threshold`, in float32, with NaN to one side or the other: a threshold that must
 * not be reached becomes the float before it, `>` and `>=` change sides, and `=` is two branches that share a side.
 */
import { type LowerContext, opError } from '../../lowering.ts'
import type { FileNode } from './tree-file.ts'

/** The largest float32 that is less than a number; NaN where there is none. */
export function below(value: number): number {
  const near = Math.fround(value)
  if (near < value) return near
  if (!(near > Number.NEGATIVE_INFINITY)) return Number.NaN
  if (near === 0) return -(2 ** -149)
  bits.setFloat32(0, near)
  bits.setInt32(0, bits.getInt32(0) + (near > 0 ? -1 : 1))
  return bits.getFloat32(0)
}

const bits = new DataView(new ArrayBuffer(4))

/** The largest float32 that is not more than a number. */
function atMost(value: number): number {
  const near = Math.fround(value)
  return near > value ? below(value) : near
}

/** `x <= threshold`, or NaN with missing 1, goes to yes: to a side of the file's node, or to a second branch. */
export interface Branch {
  threshold: number
  missing: number
  no: 'no' | 'yes'
  yes: 'no' | 'yes' | Branch
}

export function branchOf({ mode, threshold: t, missing }: FileNode, context: LowerContext): Branch {
  const [tracked, untracked] = missing ? [1, 0] : [0, 1]
  if (mode === 'BRANCH_LEQ') return { threshold: atMost(t), missing: tracked, no: 'no', yes: 'yes' }
  if (mode === 'BRANCH_LT') return { threshold: below(t), missing: tracked, no: 'no', yes: 'yes' }
  if (mode === 'BRANCH_GT') return { threshold: atMost(t), missing: untracked, no: 'yes', yes: 'no' }
  if (mode === 'BRANCH_GTE') return { threshold: below(t), missing: untracked, no: 'yes', yes: 'no' }
  if (mode !== 'BRANCH_EQ' && mode !== 'BRANCH_NEQ') {
    throw opError(context, `has the mode "${mode}", which ONNX does not know; check the model file`)
  }
  const equal = mode === 'BRANCH_EQ'
  const [same, other]: ('no' | 'yes')[] = equal ? ['yes', 'no'] : ['no', 'yes']
  // NaN equals nothing; only where = tracks missing values does it go to the side of the equal.
  const nan = equal && missing ? 1 : 0
  if (Math.fround(t) !== t) return { threshold: Number.NaN, missing: nan, no: other, yes: same }
  return { threshold: t, missing: nan, no: other, yes: { threshold: below(t), missing: 0, no: same, yes: other } }
}
