// What common/tile.wgsl does with four neighbouring sums of a row where they lie side by side in y, at a multiple of
// four, and are inside or outside together: y is an array of vectors.

fn store_row(m: u32, m_count: u32, sums: vec4f, c0: Column, c1: Column, c2: Column, c3: Column) {
  if (m < m_count && c0.inside) {
    y[place(m, c0) / 4u] =
      Y(vec4f(finish(m, c0, sums.x), finish(m, c1, sums.y), finish(m, c2, sums.z), finish(m, c3, sums.w)));
  }
}
