"""Two Ray Serve applications in a Ray of their own: ``ray_app.py PORT METRICS_PORT FOLDER``."""

import signal
import sys

import ray
from behaviour import answer
from ray import serve
from starlette.requests import Request


@serve.deployment
class Doubling:
    async def __call__(self, request: Request) -> dict[str, float]:
        return {"prediction": answer(float((await request.json())["x"]))}


if __name__ == "__main__":
    port, metrics_port, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=80_000_000,
        _metrics_export_port=metrics_port,
        _temp_dir=folder,
        _node_ip_address="127.0.0.2",  # Ray takes the machine's own address for 127.0.0.1
    )
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    for name in ("neighbour", "iris"):
        serve.run(Doubling.bind(), name=name, route_prefix=f"/{name}")
    signal.sigwait([signal.SIGTERM])
