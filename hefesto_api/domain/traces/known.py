"""Names of standard libraries, runtimes and well-known frameworks: code that is not the application's."""

from typing import Final

_PYTHON: Final = """
django flask werkzeug jinja2 click celery kombu sqlalchemy requests urllib3 starlette fastapi uvicorn
gunicorn pydantic numpy pandas pytest _pytest tornado aiohttp asgiref rest_framework psycopg2 redis
boto3 botocore
"""
_JVM: Final = """
java. javax. jdk. sun. com.sun. jakarta. kotlin. kotlinx. scala. groovy. groovyjarjar org.codehaus.
clojure. android. androidx. dalvik. com.android. libcore. org.springframework. org.apache.
org.hibernate. io.netty. reactor. com.google. org.junit. junit. org.gradle. worker.org.gradle.
com.fasterxml. okhttp3. okio. retrofit2. io.reactivex. rx. org.eclipse. akka. play. cats. zio.
org.jetbrains. com.intellij. org.mockito. ch.qos. org.slf4j. com.zaxxer. org.postgresql. com.mysql.
io.grpc. io.micrometer. io.undertow. org.jboss. org.aspectj. net.bytebuddy. org.testng. com.mongodb.
redis.clients. io.lettuce. org.scalatest. sbt.
"""
_RUST: Final = """
std core alloc test backtrace panic_unwind proc_macro rust_begin_unwind __rust_begin_short_backtrace
tokio rayon futures hyper actix_web serde serde_json clap main _start start_thread clone
__libc_start_main _main lang_start __rust_maybe_catch_panic rust_panic __rust_start_panic
"""
_ELIXIR: Final = """
elixir stdlib kernel erts ex_unit mix iex logger phoenix plug plug_cowboy cowboy ecto ecto_sql
db_connection bandit thousand_island phoenix_live_view phoenix_html postgrex jason telemetry ranch
"""

PYTHON: Final = frozenset(_PYTHON.split())
JVM: Final = tuple(_JVM.split())
RUST: Final = frozenset(_RUST.split())
ELIXIR: Final = frozenset(_ELIXIR.split())
