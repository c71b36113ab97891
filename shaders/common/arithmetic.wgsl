// Powers, remainders and whole quotients, exact where IEEE 754 and integers are, on every driver. Needs common/math.wgsl.

// As IEEE 754-2019 has it: pown for whole exponents, e^(b ln a) for others.
fn pow_f32(a: f32, b: f32) -> f32 {
  let size = abs(a);
  if (b == 0.0 || a == 1.0) {
    return 1.0;
  }
  if (is_nan(a)) {
    return a;
  }
  if (is_nan(b)) {
    return b;
  }
  let infinity = bitcast<f32>(0x7f800000u | (bitcast<u32>(b) & 0u));
  if ((bitcast<u32>(b) & 0x7fffffffu) == 0x7f800000u) {
    if (size == 1.0) {
      return 1.0;
    }
    return select(0.0, infinity, (size > 1.0) == (b > 0.0));
  }
  let whole = floor(b) == b;
  // From 2^24 on every float is even.
  let odd = whole && abs(b) < 16777216.0 && (i32(b) & 1) == 1;
  let negative = odd && (bitcast<u32>(a) & 0x80000000u) != 0u;
  if (size == 0.0 || (bitcast<u32>(a) & 0x7fffffffu) == 0x7f800000u) {
    let y = select(0.0, infinity, (size == 0.0) == (b < 0.0));
    return select(y, -y, negative);
  }
  if (a < 0.0 && !whole) {
    return bitcast<f32>(0x7fc00000u | (bitcast<u32>(b) & 0u));
  }
  if (whole && abs(b) <= 64.0) {
    var y = 1.0;
    var square = a;
    for (var n = u32(abs(b)); n > 0u; n >>= 1u) {
      if ((n & 1u) == 1u) {
        y *= square;
      }
      square *= square;
    }
    return select(y, 1.0 / y, b < 0.0);
  }
  let y = exp_f32(b * log_f32(size));
  return select(y, -y, negative);
}

// a - b * truncate(a / b), exactly: b's largest multiples by powers of two are taken off one after another.
fn remainder_f32(a: f32, b: f32) -> f32 {
  let divisor = abs(b);
  let infinite = (bitcast<u32>(a) & 0x7fffffffu) >= 0x7f800000u;
  if (infinite || divisor == 0.0 || is_nan(b)) {
    return bitcast<f32>(0x7fc00000u | (bitcast<u32>(a) & 0u));
  }
  if ((bitcast<u32>(b) & 0x7fffffffu) == 0x7f800000u) {
    return a;
  }
  var rest = abs(a);
  var steps = 0;
  var multiple = divisor;
  while (multiple <= rest * 0.5) {
    multiple *= 2.0;
    steps++;
  }
  for (; steps >= 0; steps--) {
    if (rest >= multiple) {
      rest -= multiple;
    }
    multiple *= 0.5;
  }
  return select(rest, -rest, a < 0.0);
}

// With the divisor's sign.
fn modulo_f32(a: f32, b: f32) -> f32 {
  let rest = remainder_f32(a, b);
  return select(rest, rest + b, rest != 0.0 && (rest < 0.0) != (b < 0.0));
}

// The quotient of whole numbers, towards zero; a driver's quotient may be a little off a whole one.
fn whole_quotient(a: f32, b: f32) -> f32 {
  if (b == 0.0) {
    return a / b;
  }
  let exact = a - remainder_f32(a, b);
  return round(exact / b);
}
