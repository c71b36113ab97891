// The matrix product inside conv2d and gemm: y[m, n] = sum over k of a[m, k] * b[k, n], tile by tile.
//
// A workgroup of TILE_X * TILE_Y lanes makes a tile of 4 * TILE_Y rows by 4 * TILE_X columns; each lane holds 4 by 4
// sums in registers. TILE_K values of k at a time pass through workgroup memory. The kernel's file says what the
// matrices are: `row_offset(m)` and `load_a(offset, k)` for a; `Column` and `column(n)` (what of an address in b depends
// on n alone), `Tap`, `tap(k)` and `next_tap(tap, k)` (on k alone), `load_b(tap, column)`, 0 where the tap lies outside;
// and `store(m, column, sum)`. Rows and columns outside are read as if they were the last ones and never stored.
// Constants from the host: TILE_X, TILE_Y, TILE_K.
// Numerics: one sum from k = 0 upwards, whatever the tile; what lies outside adds 0 * 0.
// Source: Volkov, "Better performance at lower occupancy" (2010): register blocking.

const ROWS = 4u * TILE_Y;
const COLUMNS = 4u * TILE_X;
const LANES = TILE_X * TILE_Y;

var<workgroup> tile_a: array<vec4f, TILE_K * TILE_Y>;
var<workgroup> tile_b: array<vec4f, TILE_K * TILE_X>;

fn multiply_tile(first_m: u32, first_n: u32, m_count: u32, k_count: u32, lane: u32) {
  let lane_x = lane % TILE_X;
  let lane_y = lane / TILE_X;
  let n = first_n + 4u * lane_x;
  let c0 = column(n);
  let c1 = column(n + 1u);
  let c2 = column(n + 2u);
  let c3 = column(n + 3u);
  var s0 = vec4f();
  var s1 = vec4f();
  var s2 = vec4f();
  var s3 = vec4f();
  for (var k = 0u; k < k_count; k += TILE_K) {
    for (var e = lane; e < TILE_K * TILE_Y; e += LANES) {
      let m = first_m + 4u * (e / TILE_K);
      let at = k + e % TILE_K;
      let safe = min(at, k_count - 1u);
      let a = vec4f(
        load_a(row_offset(m), safe),
        load_a(row_offset(m + 1u), safe),
        load_a(row_offset(m + 2u), safe),
        load_a(row_offset(m + 3u), safe),
      );
      tile_a[(e % TILE_K) * TILE_Y + e / TILE_K] = select(vec4f(), a, at < k_count);
    }
    // LANES is a multiple of TILE_X: a lane loads for the columns whose sums it holds.
    for (var e = lane; e < TILE_K * TILE_X; e += LANES) {
      let t = tap(k + e / TILE_X);
      tile_b[e] = vec4f(load_b(t, c0), load_b(t, c1), load_b(t, c2), load_b(t, c3));
    }
    workgroupBarrier();
    for (var i = 0u; i < TILE_K; i++) {
      let a = tile_a[i * TILE_Y + lane_y];
      let b = tile_b[i * TILE_X + lane_x];
      s0 += a.x * b;
      s1 += a.y * b;
      s2 += a.z * b;
      s3 += a.w * b;
    }
    workgroupBarrier();
  }
  let m = first_m + 4u * lane_y;
  store_row(m, m_count, s0, c0, c1, c2, c3);
  store_row(m + 1u, m_count, s1, c0, c1, c2, c3);
  store_row(m + 2u, m_count, s2, c0, c1, c2, c3);
  store_row(m + 3u, m_count, s3, c0, c1, c2, c3);
}
