// tree-ensemble: what the leaves of many decision trees say of each row, added up (or the least or largest of it).
//
// Shapes: x [rows, features], trees [trees, 2]: root, steps; nodes [nodes, 5]: feature (-1: a leaf), threshold, no (of a leaf:
//         its place in leaves), yes, missing; leaves: how many entries, then target and weight of each; y [rows, targets].
// Numerics: comparisons are exact, on the floats' bits as integers, so that no subnormal number is flushed and NaN is
//           told apart; sums in the order of the trees from 0. One lane a row and target; the lanes of a row walk
//           together.
// Source: ONNX operators TreeEnsembleRegressor and TreeEnsembleClassifier, ai.onnx.ml opset 3.

struct Params {
  rows: u32,
  features: u32,
  trees: u32,
  nodes: u32,
  targets: u32,
  depth: u32,
  aggregate: u32,
  missing: u32,
  single: u32,
  dense: u32,
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> trees: array<f32>;
@group(0) @binding(2) var<storage, read> nodes: array<u32>;
@group(0) @binding(3) var<storage, read> leaves: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<uniform> p: Params;

// Integers in the order of the floats; 0 and -0 have one.
fn key_of(bits: u32) -> i32 {
  let size = i32(bits & 0x7fffffffu);
  return select(size, -size, bits >= 0x80000000u);
}

fn is_nan_bits(bits: u32) -> bool {
  return (bits & 0x7fffffffu) > 0x7f800000u;
}

fn leaf_of(tree: u32, row: u32) -> u32 {
  var node = 5u * u32(trees[2u * tree]);
  let steps = u32(trees[2u * tree + 1u]);
  for (var step = 0u; step < steps; step++) {
    let feature = bitcast<f32>(nodes[node]);
    if (feature < 0.0) {
      break;
    }
    let value = x[row * p.features + u32(feature)];
    let threshold = nodes[node + 1u];
    var yes = key_of(value) <= key_of(threshold) && !is_nan_bits(threshold);
    if (is_nan_bits(value)) {
      yes = bitcast<f32>(nodes[node + 4u]) == 1.0;
    }
    node = 5u * u32(bitcast<f32>(nodes[node + select(2u, 3u, yes)]));
  }
  return u32(bitcast<f32>(nodes[node + 2u]));
}

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  if (at >= p.rows * p.targets) {
    return;
  }
  let row = at / p.targets;
  let mine = f32(at % p.targets);
  var result = 0.0;
  var found = false;
  for (var tree = 0u; tree < p.trees; tree++) {
    let leaf = leaf_of(tree, row);
    let entries = u32(leaves[leaf]);
    for (var entry = 0u; entry < entries; entry++) {
      if (leaves[leaf + 1u + 2u * entry] != mine) {
        continue;
      }
      let weight = leaves[leaf + 2u + 2u * entry];
      if (p.aggregate == 0u) {
        result += weight;
      } else if (!found || (p.aggregate == 1u && weight < result) || (p.aggregate == 2u && weight > result)) {
        result = weight;
      }
      found = true;
    }
  }
  y[at] = result;
}
