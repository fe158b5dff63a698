/**
 * Ports that nobody else is likely to take.
 *
 * Below 32768 no system gives a port to an outgoing connection by itself, and the bus port 10000 above it has to be
 * free, too. Where to begin is
 * drawn: of two that start at the same time each would else take what the other has just found to be free.
 */
import { busPortDistance } from "../address.ts";
import { complain } from "./complain.ts";

const [lowest, highest] = [10_500, 21_500];
const patience = 1_000;

/** @param first where to begin; without it somewhere. @returns what gives another port each time. */
export function choosePorts(first: number | undefined): () => number {
  let port = first ?? lowest + Math.floor(Math.random() * (highest - lowest));
  const last = port + patience;
  return () => {
    if (port > last || port + busPortDistance > 65_535) {
      throw complain(`no port before ${port} is free`, "begin elsewhere with withFirstPort()");
    }
    return port++;
  };
}
