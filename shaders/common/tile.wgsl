// The matrix product inside conv2d, gemm and matmul: y[m, n] = sum over k of a[m, k] * b[k, n], tile by tile.
//
// A workgroup of TILE_X * TILE_Y lanes makes a tile of ROWS by COLUMNS; each lane holds ROW_BLOCKS by COLUMN_BLOCKS (1
// or 2 each) blocks of 4 by 4 sums in registers. TILE_K values of k (a multiple of 4) at a time pass through workgroup
// memory: of a as four k of one row, of b as four columns of one k. The kernel's file says what the matrices are:
// `row_offset(m)`, `load_a(offset, k)` and `load_a_four(offset, k)` for a; `Column` and `column(n)` (what of an address in
// b depends on n alone), `Tap`, `tap(k)` and `next_tap(tap, k)` (on k alone), `load_b(tap, column)` and
// `load_b_four(tap, column)`, 0 where the tap lies outside; `finish(m, column, sum)` and `place(m, column)` for
// common/store-row.wgsl. Rows and columns outside are read as if they were the last ones and never stored.
// Constants from the host: TILE_X, TILE_Y, TILE_K, ROW_BLOCKS, COLUMN_BLOCKS; FOUR_A, FOUR_B, FOUR_B_DOWN: a's, or b's,
// elements come four at a time, b's across columns or (DOWN) along k.
// Numerics: one sum from k = 0 upwards, whatever the tile; what lies outside adds 0 * 0.
// Source: Volkov, "Better performance at lower occupancy" (2010): register blocking.

const ROWS = 4u * TILE_Y * ROW_BLOCKS;
const COLUMN_FOURS = TILE_X * COLUMN_BLOCKS;
const COLUMNS = 4u * COLUMN_FOURS;
const LANES = TILE_X * TILE_Y;
const K_FOURS = TILE_K / 4u;

var<workgroup> tile_a: array<vec4f, K_FOURS * ROWS>;
var<workgroup> tile_b: array<vec4f, TILE_K * COLUMN_FOURS>;

// Four rows of a by four k, four k of b by four columns, or four rows of sums.
struct Block {
  r0: vec4f,
  r1: vec4f,
  r2: vec4f,
  r3: vec4f,
}

// Four k of one row; 0 from k_count on.
fn load_row(offset: u32, k: u32, k_count: u32) -> vec4f {
  let last = k_count - 1u;
  if (FOUR_A) {
    return select(vec4f(), load_a_four(offset, min(k, k_count - 4u)), k < k_count);
  }
  return vec4f(
    select(0.0, load_a(offset, min(k, last)), k < k_count),
    select(0.0, load_a(offset, min(k + 1u, last)), k + 1u < k_count),
    select(0.0, load_a(offset, min(k + 2u, last)), k + 2u < k_count),
    select(0.0, load_a(offset, min(k + 3u, last)), k + 3u < k_count),
  );
}

fn fill_a(first_m: u32, k: u32, k_count: u32, lane: u32) {
  // Neighbouring lanes read along a row.
  for (var e = lane; e < K_FOURS * ROWS; e += LANES) {
    let row = e / K_FOURS;
    let four = e % K_FOURS;
    tile_a[four * ROWS + row] = load_row(row_offset(first_m + row), k + 4u * four, k_count);
  }
}

// LANES is a multiple of COLUMN_FOURS: a lane loads for the same four columns all the way.
fn fill_b(c0: Column, c1: Column, c2: Column, c3: Column, k: u32, lane: u32) {
  let x = lane % COLUMN_FOURS;
  if (FOUR_B_DOWN) {
    for (var e = lane; e < K_FOURS * COLUMN_FOURS; e += LANES) {
      let down = 4u * (e / COLUMN_FOURS);
      let t = tap(k + down);
      let lines = mat4x4f(load_b_four(t, c0), load_b_four(t, c1), load_b_four(t, c2), load_b_four(t, c3));
      let rows = transpose(lines);
      tile_b[down * COLUMN_FOURS + x] = rows[0];
      tile_b[(down + 1u) * COLUMN_FOURS + x] = rows[1];
      tile_b[(down + 2u) * COLUMN_FOURS + x] = rows[2];
      tile_b[(down + 3u) * COLUMN_FOURS + x] = rows[3];
    }
    return;
  }
  for (var e = lane; e < TILE_K * COLUMN_FOURS; e += LANES) {
    let t = tap(k + e / COLUMN_FOURS);
    if (FOUR_B) {
      tile_b[e] = load_b_four(t, c0);
    } else {
      tile_b[e] = vec4f(load_b(t, c0), load_b(t, c1), load_b(t, c2), load_b(t, c3));
    }
  }
}

fn block_a(i: u32, y: u32) -> Block {
  let at = i * ROWS + 4u * y;
  return Block(tile_a[at], tile_a[at + 1u], tile_a[at + 2u], tile_a[at + 3u]);
}

fn block_b(i: u32, x: u32) -> Block {
  let at = 4u * i * COLUMN_FOURS + x;
  return Block(
    tile_b[at],
    tile_b[at + COLUMN_FOURS],
    tile_b[at + 2u * COLUMN_FOURS],
    tile_b[at + 3u * COLUMN_FOURS],
  );
}

// Four k, in their order.
fn add_row(sum: vec4f, a: vec4f, b: Block) -> vec4f {
  return fma(vec4f(a.w), b.r3, fma(vec4f(a.z), b.r2, fma(vec4f(a.y), b.r1, fma(vec4f(a.x), b.r0, sum))));
}

fn add_block(s: Block, a: Block, b: Block) -> Block {
  return Block(add_row(s.r0, a.r0, b), add_row(s.r1, a.r1, b), add_row(s.r2, a.r2, b), add_row(s.r3, a.r3, b));
}

fn store_block(m: u32, m_count: u32, n: u32, s: Block) {
  let c0 = column(n);
  let c1 = column(n + 1u);
  let c2 = column(n + 2u);
  let c3 = column(n + 3u);
  store_row(m, m_count, s.r0, c0, c1, c2, c3);
  store_row(m + 1u, m_count, s.r1, c0, c1, c2, c3);
  store_row(m + 2u, m_count, s.r2, c0, c1, c2, c3);
  store_row(m + 3u, m_count, s.r3, c0, c1, c2, c3);
}

fn multiply_tile(first_m: u32, first_n: u32, m_count: u32, k_count: u32, lane: u32) {
  let x = lane % TILE_X;
  let y = lane / TILE_X;
  let loaded = first_n + 4u * (lane % COLUMN_FOURS);
  let c0 = column(loaded);
  let c1 = column(loaded + 1u);
  let c2 = column(loaded + 2u);
  let c3 = column(loaded + 3u);
  // By rows and columns; the host's constants leave out those that are not there.
  var s00 = Block();
  var s01 = Block();
  var s10 = Block();
  var s11 = Block();
  for (var k = 0u; k < k_count; k += TILE_K) {
    fill_a(first_m, k, k_count, lane);
    fill_b(c0, c1, c2, c3, k, lane);
    workgroupBarrier();
    for (var i = 0u; i < K_FOURS; i++) {
      let b0 = block_b(i, x);
      let a0 = block_a(i, y);
      s00 = add_block(s00, a0, b0);
      if (ROW_BLOCKS == 2u) {
        s10 = add_block(s10, block_a(i, TILE_Y + y), b0);
      }
      if (COLUMN_BLOCKS == 2u) {
        let b1 = block_b(i, TILE_X + x);
        s01 = add_block(s01, a0, b1);
        if (ROW_BLOCKS == 2u) {
          s11 = add_block(s11, block_a(i, TILE_Y + y), b1);
        }
      }
    }
    workgroupBarrier();
  }
  let m = first_m + 4u * y;
  let n = first_n + 4u * x;
  store_block(m, m_count, n, s00);
  if (COLUMN_BLOCKS == 2u) {
    store_block(m, m_count, n + 4u * TILE_X, s01);
  }
  if (ROW_BLOCKS == 2u) {
    store_block(m + 4u * TILE_Y, m_count, n, s10);
    if (COLUMN_BLOCKS == 2u) {
      store_block(m + 4u * TILE_Y, m_count, n + 4u * TILE_X, s11);
    }
  }
}
