// What common/tile.wgsl and common/direct.wgsl do with four neighbouring sums of a row: those inside the matrix are
// finished and put in their places, one by one.

fn store_row(m: u32, m_count: u32, sums: vec4f, c0: Column, c1: Column, c2: Column, c3: Column) {
  if (m < m_count) {
    if (c0.inside) { y[place(m, c0)] = Y(finish(m, c0, sums.x)); }
    if (c1.inside) { y[place(m, c1)] = Y(finish(m, c1, sums.y)); }
    if (c2.inside) { y[place(m, c2)] = Y(finish(m, c2, sums.z)); }
    if (c3.inside) { y[place(m, c3)] = Y(finish(m, c3, sums.w)); }
  }
}
