import { metrics } from "@opentelemetry/api";

export interface DeliveryMeter {
  /** @param to whether the sender named a session, or it was for whichever consumer */
  settled(to: "consumer" | "session", isDelivered: boolean): void;
}

export function createDeliveryMeter(): DeliveryMeter {
  const deliveries = metrics.getMeter("portcullis.keys").createCounter("portcullis.deliveries", {
    description: "Messages for one session, by whom they were for and whether an edge had them",
  });
  return {
    settled: (to, isDelivered) => deliveries.add(1, { to, outcome: isDelivered ? "delivered" : "undelivered" }),
  };
}
