// What common/tile.wgsl and common/direct.wgsl do with a lane's sums: those inside the matrix go to the kernel's `store`.

fn store_row(m: u32, m_count: u32, sums: vec4f, c0: Column, c1: Column, c2: Column, c3: Column) {
  if (m < m_count) {
    if (c0.inside) { store(m, c0, sums.x); }
    if (c1.inside) { store(m, c1, sums.y); }
    if (c2.inside) { store(m, c2, sums.z); }
    if (c3.inside) { store(m, c3, sums.w); }
  }
}
