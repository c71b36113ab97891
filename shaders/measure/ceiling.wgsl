// ceiling: multiply-adds on registers alone, for benchmarks to compare kernels with; nobody wants the sums.
//
// Shapes: y [workgroups * LANES]. Each lane advances eight vectors of four for `rounds` rounds: 64 flops a round.

struct Params {
  rounds: u32,
  factor: f32,
}

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<uniform> p: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let a = vec4f(p.factor);
  var s0 = vec4f(f32(id.x));
  var s1 = s0 + 1.0;
  var s2 = s0 + 2.0;
  var s3 = s0 + 3.0;
  var s4 = s0 + 4.0;
  var s5 = s0 + 5.0;
  var s6 = s0 + 6.0;
  var s7 = s0 + 7.0;
  for (var i = 0u; i < p.rounds; i++) {
    s0 = fma(s0, a, a);
    s1 = fma(s1, a, a);
    s2 = fma(s2, a, a);
    s3 = fma(s3, a, a);
    s4 = fma(s4, a, a);
    s5 = fma(s5, a, a);
    s6 = fma(s6, a, a);
    s7 = fma(s7, a, a);
  }
  let s = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7;
  y[id.x] = s.x + s.y + s.z + s.w;
}
