/**
 * tree-ensemble: what the leaves of many decision trees say of each row, added up (or the least or largest of it).
 *
 * Shapes: x [rows, features], trees [trees, 2], leaves, y [rows, targets] as the contract says; nodes packed, 16 bytes each
 *         (packTreeNodes): threshold, feature, no, yes. Params: src/compute/kernels/tree-ensemble.ts.
 * Scratch: keys [groups][features, twice that with missing][8], then sums [8 * groups][targets].
 * Numerics: comparisons are exact, on keys: integers in the order of the floats. Sums in the order of the trees from 0.
 * Source: eight rows walk a tree together (the last few rows: eight trees at once), without branches, so that their loads
 *         overlap: the idea of VPred (Asadi, Lin and de Vries, "Runtime optimizations for tree-based machine learning
 *         models", 2014). NaN has two keys: above all thresholds, and, in the second half of a row's keys, below them.
 */

const AGGREGATE_SUM: u32 = 0
const AGGREGATE_MIN: u32 = 1

/** Rows that walk a tree together, or trees that a row walks at once. */
const LANES: u32 = 8

/** What leaves hold. */
const LEAF_ENTRIES: u32 = 0
const LEAF_SINGLE: u32 = 1
const LEAF_DENSE: u32 = 2

/** Bytes of keys that are walked with one tree after the other: half of what a first-level cache holds, and more. */
const KEYS_BYTES: u32 = 65536
const GROUPS_MAX: u32 = 32

/** Keys of four floats; those of NaN are `none`. */
// @ts-ignore: decorator
@inline
function keysOf(bits: v128, none: i32): v128 {
  const size = v128.and(bits, i32x4.splat(0x7fffffff))
  const sign = i32x4.shr_s(bits, 31)
  const key = i32x4.sub(v128.xor(size, sign), sign)
  return v128.bitselect(i32x4.splat(none), key, i32x4.gt_s(size, i32x4.splat(0x7f800000)))
}

/** One row's keys, 32 bytes apart. */
function writeKeys(x: usize, features: u32, keys: usize, none: i32): void {
  let f: u32 = 0
  for (; f + 4 <= features; f += 4) {
    const key = keysOf(v128.load(x + (f << 2)), none)
    const to = keys + (f << 5)
    v128.store_lane<i32>(to, key, 0)
    v128.store_lane<i32>(to, key, 1, 32)
    v128.store_lane<i32>(to, key, 2, 64)
    v128.store_lane<i32>(to, key, 3, 96)
  }
  for (; f < features; f++) v128.store_lane<i32>(keys + (f << 5), keysOf(v128.load32_splat(x + (f << 2)), none), 0)
}

/** One step: from `node` to the child that a key chooses, which lies at `keys` and so many bytes after its feature. */
// @ts-ignore: decorator
@inline
function child(nodes: usize, node: usize, key: i32): usize {
  const yes = <u32>(key <= load<i32>(node))
  return nodes + load<u32>(node + (yes << 2), 8)
}

/** What a target has, joined with one more weight; NaN stands for nothing yet. */
// @ts-ignore: decorator
@inline
function join(to: usize, weight: f32, aggregate: u32): void {
  const before = load<f32>(to)
  if (aggregate == AGGREGATE_SUM) {
    store<f32>(to, before + weight)
  } else if (before != before || (aggregate == AGGREGATE_MIN ? weight < before : weight > before)) {
    store<f32>(to, weight)
  }
}

/** The entries of a leaf into one row's targets. */
function take(leaves: usize, leaf: usize, sums: usize, aggregate: u32): void {
  let at = leaves + (load<u32>(leaf, 12) << 2)
  let count = <u32>load<f32>(at)
  for (at += 4; count > 0; count--, at += 8) join(sums + (<u32>load<f32>(at) << 2), load<f32>(at, 4), aggregate)
}

/** The same of a leaf that names all targets, in their order: sums alone. */
function takeAll(leaves: usize, leaf: usize, sums: usize): void {
  let at = leaves + (load<u32>(leaf, 12) << 2)
  let count = <u32>load<f32>(at)
  // The second of each pair.
  for (at += 8; count >= 4; count -= 4, at += 32, sums += 16) {
    const weights = i32x4.shuffle(v128.load(at), v128.load(at, 16), 0, 2, 4, 6)
    v128.store(sums, f32x4.add(v128.load(sums), weights))
  }
  for (; count > 0; count--, at += 8, sums += 4) store<f32>(sums, load<f32>(sums) + load<f32>(at))
}

/** A leaf into one row's targets. */
// @ts-ignore: decorator
@inline
function takeLeaf(leaves: usize, leaf: usize, sums: usize, aggregate: u32, kind: u32): void {
  if (kind == LEAF_SINGLE) join(sums, load<f32>(leaf, 12), aggregate)
  else if (kind == LEAF_DENSE) takeAll(leaves, leaf, sums)
  else take(leaves, leaf, sums, aggregate)
}

/** Eight rows through one tree. */
function walk(
  nodes: usize, root: usize, depth: u32, leaves: usize, keys: usize, sums: usize, stride: u32, aggregate: u32, kind: u32,
): void {
  let n0 = root, n1 = root, n2 = root, n3 = root, n4 = root, n5 = root, n6 = root, n7 = root
  for (let d: u32 = 0; d < depth; d++) {
    const m0 = n0, m1 = n1, m2 = n2, m3 = n3, m4 = n4, m5 = n5, m6 = n6, m7 = n7
    n0 = child(nodes, n0, load<i32>(keys + load<u32>(n0, 4)))
    n1 = child(nodes, n1, load<i32>(keys + load<u32>(n1, 4), 4))
    n2 = child(nodes, n2, load<i32>(keys + load<u32>(n2, 4), 8))
    n3 = child(nodes, n3, load<i32>(keys + load<u32>(n3, 4), 12))
    n4 = child(nodes, n4, load<i32>(keys + load<u32>(n4, 4), 16))
    n5 = child(nodes, n5, load<i32>(keys + load<u32>(n5, 4), 20))
    n6 = child(nodes, n6, load<i32>(keys + load<u32>(n6, 4), 24))
    n7 = child(nodes, n7, load<i32>(keys + load<u32>(n7, 4), 28))
    // A leaf leads to itself: deep trees end where all rows have arrived.
    if ((d & 3) == 3 && !((m0 ^ n0) | (m1 ^ n1) | (m2 ^ n2) | (m3 ^ n3) | (m4 ^ n4) | (m5 ^ n5) | (m6 ^ n6) | (m7 ^ n7))) break
  }
  takeLeaf(leaves, n0, sums, aggregate, kind)
  takeLeaf(leaves, n1, sums + stride, aggregate, kind)
  takeLeaf(leaves, n2, sums + 2 * stride, aggregate, kind)
  takeLeaf(leaves, n3, sums + 3 * stride, aggregate, kind)
  takeLeaf(leaves, n4, sums + 4 * stride, aggregate, kind)
  takeLeaf(leaves, n5, sums + 5 * stride, aggregate, kind)
  takeLeaf(leaves, n6, sums + 6 * stride, aggregate, kind)
  takeLeaf(leaves, n7, sums + 7 * stride, aggregate, kind)
}

/** The root of a tree; beyond the last tree the last one's. */
// @ts-ignore: decorator
@inline
function rootOf(nodes: usize, trees: usize, tree: u32, treeCount: u32): usize {
  return nodes + (<u32>load<f32>(trees + (min(tree, treeCount - 1) << 3)) << 4)
}

/** One row through all trees, eight at once; their leaves are taken in the order of the trees. */
function walkAlone(
  nodes: usize, trees: usize, treeCount: u32, depth: u32, leaves: usize, keys: usize, sums: usize, aggregate: u32, kind: u32,
): void {
  for (let tree: u32 = 0; tree < treeCount; tree += LANES) {
    let n0 = rootOf(nodes, trees, tree, treeCount), n1 = rootOf(nodes, trees, tree + 1, treeCount)
    let n2 = rootOf(nodes, trees, tree + 2, treeCount), n3 = rootOf(nodes, trees, tree + 3, treeCount)
    let n4 = rootOf(nodes, trees, tree + 4, treeCount), n5 = rootOf(nodes, trees, tree + 5, treeCount)
    let n6 = rootOf(nodes, trees, tree + 6, treeCount), n7 = rootOf(nodes, trees, tree + 7, treeCount)
    for (let d: u32 = 0; d < depth; d++) {
      const m0 = n0, m1 = n1, m2 = n2, m3 = n3, m4 = n4, m5 = n5, m6 = n6, m7 = n7
      n0 = child(nodes, n0, load<i32>(keys + load<u32>(n0, 4)))
      n1 = child(nodes, n1, load<i32>(keys + load<u32>(n1, 4)))
      n2 = child(nodes, n2, load<i32>(keys + load<u32>(n2, 4)))
      n3 = child(nodes, n3, load<i32>(keys + load<u32>(n3, 4)))
      n4 = child(nodes, n4, load<i32>(keys + load<u32>(n4, 4)))
      n5 = child(nodes, n5, load<i32>(keys + load<u32>(n5, 4)))
      n6 = child(nodes, n6, load<i32>(keys + load<u32>(n6, 4)))
      n7 = child(nodes, n7, load<i32>(keys + load<u32>(n7, 4)))
      if ((d & 3) == 3 && !((m0 ^ n0) | (m1 ^ n1) | (m2 ^ n2) | (m3 ^ n3) | (m4 ^ n4) | (m5 ^ n5) | (m6 ^ n6) | (m7 ^ n7))) break
    }
    const count = treeCount - tree
    takeLeaf(leaves, n0, sums, aggregate, kind)
    if (count > 1) takeLeaf(leaves, n1, sums, aggregate, kind)
    if (count > 2) takeLeaf(leaves, n2, sums, aggregate, kind)
    if (count > 3) takeLeaf(leaves, n3, sums, aggregate, kind)
    if (count > 4) takeLeaf(leaves, n4, sums, aggregate, kind)
    if (count > 5) takeLeaf(leaves, n5, sums, aggregate, kind)
    if (count > 6) takeLeaf(leaves, n6, sums, aggregate, kind)
    if (count > 7) takeLeaf(leaves, n7, sums, aggregate, kind)
  }
}

export function treeEnsemble(
  x: usize, trees: usize, nodes: usize, leaves: usize, y: usize, scratch: usize,
  rows: u32, features: u32, treeCount: u32, nodeCount: u32, targets: u32, depth: u32, aggregate: u32, missing: u32,
  single: u32, dense: u32,
): void {
  const kind: u32 = single ? LEAF_SINGLE : dense && aggregate == AGGREGATE_SUM ? LEAF_DENSE : LEAF_ENTRIES
  const groupBytes = (features << missing) * (LANES << 2)
  const groups = max<u32>(1, min<u32>(GROUPS_MAX, KEYS_BYTES / max<u32>(1, groupBytes)))
  const sums = scratch + groups * groupBytes, stride = targets << 2
  const nothing: f32 = aggregate == AGGREGATE_SUM ? 0 : NaN
  for (let first: u32 = 0; first < rows; first += groups * LANES) {
    const count = min(rows - first, groups * LANES)
    const used = (count + LANES - 1) / LANES
    // Lanes without a row walk with the keys of 0.
    if (count % LANES) memory.fill(scratch + (used - 1) * groupBytes, 0, groupBytes)
    for (let r: u32 = 0; r < count; r++) {
      const from = x + ((first + r) * features << 2)
      const keys = scratch + (r / LANES) * groupBytes + ((r % LANES) << 2)
      writeKeys(from, features, keys, i32.MAX_VALUE)
      if (missing) writeKeys(from, features, keys + (features << 5), i32.MIN_VALUE)
    }
    for (let i: u32 = 0; i < used * LANES * targets; i++) store<f32>(sums + (i << 2), nothing)
    // Rows that are not eight go one by one.
    const alone: u32 = treeCount >= LANES ? count % LANES : 0
    const together = alone ? used - 1 : used
    for (let tree: u32 = 0; tree < treeCount; tree++) {
      const root = rootOf(nodes, trees, tree, treeCount)
      const steps = <u32>load<f32>(trees + (tree << 3), 4)
      for (let group: u32 = 0; group < together; group++) {
        walk(nodes, root, steps, leaves, scratch + group * groupBytes, sums + group * LANES * stride, stride, aggregate, kind)
      }
    }
    for (let row = together * LANES; row < together * LANES + alone; row++) {
      const keys = scratch + together * groupBytes + ((row % LANES) << 2)
      walkAlone(nodes, trees, treeCount, depth, leaves, keys, sums + row * stride, aggregate, kind)
    }
    const to = y + first * stride
    for (let i: u32 = 0; i < count * targets; i++) {
      const value = load<f32>(sums + (i << 2))
      store<f32>(to + (i << 2), value == value || aggregate == AGGREGATE_SUM ? value : 0)
    }
  }
}
