// pairwise-coupling: probabilities of classes from those of each pair of them.
//
// Shapes: x [rows, pairs]: r(c,d) for c < d, ordered by c, then d; y [rows, classes]. One lane a row.
// Constants from the host: CLASSES, of the call, so that a lane holds its row's sums.
// Numerics: float32; steps from equal probabilities until no class is off by more than 0.005 / classes, 100 at most.
// Source: Wu, Lin and Weng, "Probability estimates for multi-class classification by pairwise coupling" (2004): the second.

struct Params {
  rows: u32,
  classes: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> p: Params;

// The probability of c where it is c or d.
fn pair_of(row: u32, c: u32, d: u32) -> f32 {
  let low = min(c, d);
  let high = max(c, d);
  let place = low * (2u * CLASSES - low - 1u) / 2u + high - low - 1u;
  let r = x[row * (CLASSES * (CLASSES - 1u) / 2u) + place];
  return select(r, 1.0 - r, c > d);
}

// One element of the quadratic form.
fn form(row: u32, c: u32, d: u32) -> f32 {
  if (c != d) {
    return -(pair_of(row, d, c) * pair_of(row, c, d));
  }
  var sum = 0.0;
  for (var e = 0u; e < CLASSES; e++) {
    if (e != c) {
      let r = pair_of(row, e, c);
      sum += r * r;
    }
  }
  return sum;
}

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.y * groups.x * LANES + id.x;
  if (row >= p.rows) {
    return;
  }
  var own: array<f32, CLASSES>;
  var probability: array<f32, CLASSES>;
  var product: array<f32, CLASSES>;
  for (var c = 0u; c < CLASSES; c++) {
    own[c] = form(row, c, c);
    probability[c] = 1.0 / f32(CLASSES);
  }
  for (var step = 0u; step < 100u; step++) {
    var whole = 0.0;
    for (var c = 0u; c < CLASSES; c++) {
      var sum = 0.0;
      for (var d = 0u; d < CLASSES; d++) {
        if (d == c) {
          sum += own[c] * probability[d];
        } else {
          sum += form(row, c, d) * probability[d];
        }
      }
      product[c] = sum;
      whole += probability[c] * sum;
    }
    // NaN is never near.
    var near = true;
    for (var c = 0u; c < CLASSES; c++) {
      near = near && abs(product[c] - whole) < 0.005 / f32(CLASSES);
    }
    if (near) {
      break;
    }
    for (var c = 0u; c < CLASSES; c++) {
      let change = (whole - product[c]) / own[c];
      let scale = 1.0 + change;
      probability[c] += change;
      whole = (whole + change * (change * own[c] + 2.0 * product[c])) / scale / scale;
      for (var d = 0u; d < CLASSES; d++) {
        var q = own[c];
        if (d != c) {
          q = form(row, c, d);
        }
        product[d] = (product[d] + change * q) / scale;
        probability[d] /= scale;
      }
    }
  }
  for (var c = 0u; c < CLASSES; c++) {
    y[row * CLASSES + c] = probability[c];
  }
}
