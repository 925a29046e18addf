// The basket of a small shop; written to be found fault with.
function totals(lines, coupon, club, country, express, gift) {
  let sum = 0;
  for (const line of lines) {
    if (line.quantity > 0) {
      if (line.discount && club) {
        sum += line.price * line.quantity * 0.9;
      } else if (coupon && coupon.kind === "percent") {
        sum += line.price * line.quantity * (1 - coupon.value / 100);
      } else {
        sum += line.price * line.quantity;
      }
    }
  }
  if (country !== "home" && sum < 100) {
    sum += express ? 25 : 10;
  }
  return gift ? sum + 4 : sum;
}

module.exports = { totals };
