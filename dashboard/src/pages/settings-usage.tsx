// What a key was used for: requests by day and by route.
import { useData } from "../data";
import { count, percent } from "../format";
import { Chart } from "../pieces/chart";
import { Failure, Waiting } from "../pieces/marks";

interface Usage {
  requests: number;
  errors: number;
  by_day: { day: string; requests: number; errors: number }[];
  by_route: { route: string; requests: number; errors: number }[];
}

const DAYS = 30;
const FIRST = 20;

export function KeyUsage({ id, name }: { id: string; name: string }) {
  const read = useData<Usage>(`/auth/api-keys/${id}/usage?days=${DAYS}`);
  const of = read.data;
  if (!of) {
    return <div class="within">{read.error ? <Failure error={read.error} retry={read.reload} /> : <Waiting />}</div>;
  }
  if (of.requests === 0) {
    return (
      <p class="within quiet">
        Nothing was asked with it in {DAYS} days. Try{" "}
        <code>{`curl -H "Authorization: Bearer $HEFESTO_API_KEY" ${location.origin}/api/v1/auth/me`}</code>
      </p>
    );
  }
  const days = everyDay(of);
  return (
    <div class="within usage">
      <Chart
        title={`Requests of ${name}`}
        days={days.map((one) => one.day)}
        kind="stack"
        series={[
          { name: "answered", colour: "medium", values: days.map((one) => one.requests - one.errors) },
          { name: "refused or failed", colour: "critical", values: days.map((one) => one.errors) },
        ]}
      />
      <div class="scroll" tabIndex={0} role="region" aria-label={`Routes of ${name}`}>
        <table>
          <thead>
            <tr>
              <th scope="col">Route</th>
              <th scope="col">Requests</th>
              <th scope="col">Refused or failed</th>
            </tr>
          </thead>
          <tbody>
            {of.by_route.slice(0, FIRST).map((one) => (
              <tr key={one.route}>
                <th scope="row">
                  <code>{one.route}</code>
                </th>
                <td>{count(one.requests)}</td>
                <td>{one.errors ? `${count(one.errors)} · ${percent(one.errors / one.requests)}` : "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

/** The days of the period; those without a request are told of as well. */
function everyDay(of: Usage): Usage["by_day"] {
  const known = new Map(of.by_day.map((one) => [one.day, one]));
  return Array.from({ length: DAYS }, (_, index) => {
    const day = new Date(Date.now() - (DAYS - 1 - index) * 86_400_000).toISOString().slice(0, 10);
    return known.get(day) ?? { day, requests: 0, errors: 0 };
  });
}
