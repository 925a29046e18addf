"""The parts of SARIF 2.1.0 that we read. Every property may be missing; unknown ones are passed over."""

from typing import Any

from msgspec import Struct, field

Properties = dict[str, Any]


class Part(Struct, rename="camel"):
    """A SARIF object."""


class Message(Part):
    text: str | None = None
    markdown: str | None = None
    id: str | None = None
    arguments: list[str] = []


class ArtifactLocation(Part):
    uri: str | None = None
    uri_base_id: str | None = None
    index: int = -1


class Artifact(Part):
    location: ArtifactLocation | None = None
    roles: list[str] = []


class Region(Part):
    start_line: int = 0
    start_column: int = 0
    end_line: int = 0
    end_column: int = 0
    snippet: Message | None = None


class PhysicalLocation(Part):
    artifact_location: ArtifactLocation | None = None
    region: Region | None = None
    context_region: Region | None = None


class LogicalLocation(Part):
    name: str | None = None
    fully_qualified_name: str | None = None
    kind: str | None = None


class Location(Part):
    physical_location: PhysicalLocation | None = None
    logical_locations: list[LogicalLocation] = []
    message: Message | None = None


class ThreadFlowLocation(Part):
    location: Location | None = None


class ThreadFlow(Part):
    locations: list[ThreadFlowLocation] = []


class CodeFlow(Part):
    thread_flows: list[ThreadFlow] = []


class ToolReference(Part):
    index: int = -1
    name: str | None = None


class RuleReference(Part):
    id: str | None = None
    index: int = -1
    tool_component: ToolReference | None = None


class Relationship(Part):
    target: RuleReference | None = None


class Configuration(Part):
    level: str | None = None


class RuleDescriptor(Part):
    id: str
    name: str | None = None
    short_description: Message | None = None
    full_description: Message | None = None
    help: Message | None = None
    help_uri: str | None = None
    default_configuration: Configuration | None = None
    message_strings: dict[str, Message] = {}
    relationships: list[Relationship] = []
    properties: Properties = field(default_factory=dict)


class ToolComponent(Part):
    name: str = ""
    version: str | None = None
    semantic_version: str | None = None
    rules: list[RuleDescriptor] = []


class Tool(Part):
    driver: ToolComponent
    extensions: list[ToolComponent] = []


class SarifSuppression(Part):
    kind: str = "external"
    status: str | None = None
    justification: str | None = None


class Result(Part):
    rule_id: str | None = None
    rule_index: int = -1
    rule: RuleReference | None = None
    kind: str = "fail"
    level: str | None = None
    message: Message | None = None
    locations: list[Location] = []
    related_locations: list[Location] = []
    code_flows: list[CodeFlow] = []
    fingerprints: dict[str, str] = {}
    partial_fingerprints: dict[str, str] = {}
    suppressions: list[SarifSuppression] = []
    baseline_state: str | None = None
    rank: float | None = None
    properties: Properties = field(default_factory=dict)


class Automation(Part):
    id: str | None = None


class Revision(Part):
    repository_uri: str | None = None
    revision_id: str | None = None
    branch: str | None = None


class Invocation(Part):
    execution_successful: bool = True


class Run(Part):
    tool: Tool
    invocations: list[Invocation] = []
    results: list[Result] | None = None
    artifacts: list[Artifact] = []
    original_uri_base_ids: dict[str, ArtifactLocation] = {}
    automation_details: Automation | None = None
    version_control_provenance: list[Revision] = []


class Log(Part):
    version: str
    runs: list[Run]
