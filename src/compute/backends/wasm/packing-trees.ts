/**
 * tree-ensemble's nodes as assembly/tree-ensemble.ts reads them: 16 bytes a node, all integers.
 *
 * A branch: its threshold's key, where its feature's keys lie among a group's, and the nodes no and yes, in bytes. A leaf: a
 * key below all others, 0, itself, and its weight (params.single) or its place in leaves; so a walk that has arrived stays.
 */
import type { KernelParams } from '../../kernels/index.ts'
import { treeNodeFloats } from '../../kernels/tree-ensemble.ts'
import type { Packing } from './packing.ts'

const nodeBytes = 16
/** One feature's keys of a group of eight rows. */
const featureBytes = 32
/** Below the key of every number: a threshold that is NaN, which only the keys of NaN in the second half reach. */
const keyMin = -(2 ** 31)

export function packTreeNodes(p: KernelParams['tree-ensemble']): Packing {
  return {
    tag: `tree nodes ${p.features} ${p.missing} ${p.single}`,
    elements: (p.nodes * nodeBytes) / 4,
    pack(from, to) {
      const words = new Int32Array(to.buffer, to.byteOffset, to.length)
      const floats = Float32Array.from(from)
      const bits = new Int32Array(floats.buffer)
      for (let node = 0; node < p.nodes; node++) {
        const [at, word] = [node * treeNodeFloats, node * 4]
        const [feature, threshold, no, yes, missing] = floats.subarray(at, at + treeNodeFloats)
        if (feature < 0) {
          words.set([keyMin, 0, node * nodeBytes, p.single ? bits[at + 1] : no], word)
        } else {
          const key = Number.isNaN(threshold) ? keyMin : keyOf(bits[at + 1])
          const keys = (feature + (missing ? p.features : 0)) * featureBytes
          words.set([key, keys, no * nodeBytes, yes * nodeBytes], word)
        }
      }
    },
  }
}

/** Integers in the order of the floats; 0 and -0 have one. */
function keyOf(bits: number): number {
  const size = bits & 0x7fffffff
  return bits < 0 ? -size : size
}
