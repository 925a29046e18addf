// A text as a QR code: one path of an SVG, dark on light in both themes since cameras want it so.
import encode from "qr";

export function QrCode({ text, label }: { text: string; label: string }) {
  const rows = encode(text, "raw", { ecc: "medium", border: 3 });
  const path = rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  return (
    <svg class="qr" viewBox={`0 0 ${rows.length} ${rows.length}`} role="img" aria-label={label} shape-rendering="crispEdges">
      <rect width={rows.length} height={rows.length} class="light" />
      <path d={path} class="dark" />
    </svg>
  );
}
