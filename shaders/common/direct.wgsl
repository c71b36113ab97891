// The matrix product inside conv2d and gemm without workgroup memory: the same interface and the same sums, to the
// bit, as common/tile.wgsl, for software adapters, where a barrier costs more than it saves.
//
// Each lane makes 8 rows by 4 columns and loads what it needs.
// Constants from the host: TILE_X, TILE_Y.

const ROWS = 8u * TILE_Y;
const COLUMNS = 4u * TILE_X;
const LANES = TILE_X * TILE_Y;

fn multiply_tile(first_m: u32, first_n: u32, m_count: u32, k_count: u32, lane: u32) {
  let n = first_n + 4u * (lane % TILE_X);
  let m = first_m + 8u * (lane / TILE_X);
  let c0 = column(n);
  let c1 = column(n + 1u);
  let c2 = column(n + 2u);
  let c3 = column(n + 3u);
  let r0 = row_offset(m);
  let r1 = row_offset(m + 1u);
  let r2 = row_offset(m + 2u);
  let r3 = row_offset(m + 3u);
  let r4 = row_offset(m + 4u);
  let r5 = row_offset(m + 5u);
  let r6 = row_offset(m + 6u);
  let r7 = row_offset(m + 7u);
  var s0 = vec4f();
  var s1 = vec4f();
  var s2 = vec4f();
  var s3 = vec4f();
  var s4 = vec4f();
  var s5 = vec4f();
  var s6 = vec4f();
  var s7 = vec4f();
  var t = tap(0u);
  for (var k = 0u; k < k_count; k++) {
    let b = vec4f(load_b(t, c0), load_b(t, c1), load_b(t, c2), load_b(t, c3));
    s0 = fma(vec4f(load_a(r0, k)), b, s0);
    s1 = fma(vec4f(load_a(r1, k)), b, s1);
    s2 = fma(vec4f(load_a(r2, k)), b, s2);
    s3 = fma(vec4f(load_a(r3, k)), b, s3);
    s4 = fma(vec4f(load_a(r4, k)), b, s4);
    s5 = fma(vec4f(load_a(r5, k)), b, s5);
    s6 = fma(vec4f(load_a(r6, k)), b, s6);
    s7 = fma(vec4f(load_a(r7, k)), b, s7);
    t = next_tap(t, k);
  }
  store_row(m, m_count, s0, c0, c1, c2, c3);
  store_row(m + 1u, m_count, s1, c0, c1, c2, c3);
  store_row(m + 2u, m_count, s2, c0, c1, c2, c3);
  store_row(m + 3u, m_count, s3, c0, c1, c2, c3);
  store_row(m + 4u, m_count, s4, c0, c1, c2, c3);
  store_row(m + 5u, m_count, s5, c0, c1, c2, c3);
  store_row(m + 6u, m_count, s6, c0, c1, c2, c3);
  store_row(m + 7u, m_count, s7, c0, c1, c2, c3);
}
