"""What the book says of options, metrics, log lines and limits is what the sources say."""

from __future__ import annotations

import re

import pytest
import yaml

import book
from flagstone._options import OPTIONS
from pages import DOCS, ROOT, rows


def test_the_page_of_options_is_made_of_the_headers_table() -> None:
    assert (DOCS / "options.md").read_text() == book.options_page(), "python3 tools/book.py options > docs/options.md"
    names = [name for name, _, _ in book.options()]
    assert sorted(names) == sorted(OPTIONS.values())
    sources = re.findall(r'^    \("([a-z0-9_.]+)", ', (ROOT / "src" / "client" / "config.rs").read_text(), re.M)
    assert sorted(names) == sorted(sources)


def test_defaults_of_the_page_are_those_of_the_code() -> None:
    listed = {name: default for name, default, _ in book.options()}
    code: dict[str, str] = {}
    for path in sorted((ROOT / "src" / "client").glob("*settings.rs")):
        code.update(re.findall(r'self\.(?:milliseconds|number)\("([a-z0-9_.]+)", ([0-9_]+)\)', path.read_text()))
    assert len(code) > 15
    assert {name: number.replace("_", "") for name, number in code.items()} == {name: listed[name] for name in code}


def test_words_of_an_option_are_all_in_its_row() -> None:
    config = (ROOT / "src" / "client" / "config.rs").read_text()
    words = dict(re.findall(r'^    \("([a-z0-9_.]+)", Check::(?:Word|Sources?)\(&\[([^\]]+)\]', config, re.M))
    assert len(words) > 10
    for name, default, meaning in book.options():
        for word in re.findall(r'"([^"]+)"', words.get(name, "")):
            assert re.search(rf"\b{word}\b", f"{default} {meaning}"), f"{name}: {word}"


def test_every_option_of_an_address_is_in_the_table_and_no_other() -> None:
    source = (ROOT / "src" / "store" / "redis" / "url_options.rs").read_text()
    arms = re.findall(r'^ {12}("[a-z_]+"(?: \| "[a-z_]+")*)(?: if [^=]+)? =>', source, re.M)
    taken = {name for arm in arms for name in re.findall(r'"([a-z_]+)"', arm)}
    table = [cells for cells in rows(DOCS / "redis-addresses.md", 3) if cells[0].startswith("`") and "://" not in cells[1]]
    listed = {name.lower() for cells in table for name in re.findall(r"`([A-Za-z_]+)`", cells[0] + cells[2])}
    assert len(taken) > 30 and listed == taken


def test_every_command_that_is_sent_to_redis_is_in_the_tables_of_rights_and_no_other() -> None:
    folder = ROOT / "src" / "store" / "redis"
    sent: set[str] = set()
    for path in folder.rglob("*.rs"):
        # What only the program's `doctor` asks is said in the text.
        if path.name not in ("tests.rs", "fuzzing.rs", "examination.rs"):
            text = path.read_text().partition("#[cfg(test)]")[0]
            found = re.findall(r'\bcmd\("([A-Z]+)"\)(?:\s*\.arg\(&?\[?"([A-Z]+)")?', text)
            sent |= {
                f"{name} {word}" if name in ("CLIENT", "CLUSTER", "CONFIG", "PUBSUB") else name for name, word in found
            }
    topics = re.search(r"let topics = .*?\{", (folder / "sentinel" / "word.rs").read_text(), re.S)
    assert topics
    sent |= {f"SENTINEL {topic}" for topic in re.findall(r'"([A-Z-]+)"', topics[0])}
    first = " ".join(cells[0] for cells in rows(DOCS / "redis-rights.md", 3) if not cells[0].startswith("`flags-"))
    listed = set(re.findall(r"`([A-Z]{3,}(?: [A-Z-]+)?)`", first))
    assert len(sent) > 30 and listed == sent - {"SENTINEL"} | {"ASKING"}


def test_each_error_of_an_evaluation_has_its_row() -> None:
    header = (ROOT / "include" / "flagstone.h").read_text()
    kinds = set(re.findall(r"^  FLAGSTONE_ERROR_KIND_([A-Z_]+) = ", header, re.M)) - {"NONE"}
    listed = {
        kind for cells in rows(DOCS / "troubleshooting.md", 3) for kind in re.findall(r"`ERROR`/`([A-Z_]+)`", cells[0])
    }
    assert len(kinds) > 5 and listed == kinds


def test_pauses_of_an_outage_are_those_of_the_code() -> None:
    code = (ROOT / "src" / "store" / "backoff.rs").read_text()
    longest = re.findall(r"LONGEST: Duration = Duration::from_secs\((\d+)\)", code)
    first = re.findall(r"UNHURRIED: \(f64, f64\) = \(([\d.]+), ([\d.]+)\)", code)[0]
    (row,) = re.findall(r"^\| after an outage \|.*$", (DOCS / "scale.md").read_text(), re.M)
    assert re.findall(r"[\d.]+", row) == [f"{float(number):g}" for number in (*first, *longest)]


def test_the_servers_of_the_table_are_those_that_are_installed_for_the_tests() -> None:
    text = (ROOT / "tools" / "servers.sh").read_text()
    installed = {name.replace("-", " ", 1).capitalize() for name in re.findall(r"^((?:redis|valkey)-[0-9.]+) ", text, re.M)}
    tested = {cells[0]: cells[1] for cells in rows(DOCS / "redis-servers.md", 8)}
    assert all(version.startswith(name.split()[1] + ".") for name, version in tested.items())
    # That of the distribution is in the PATH.
    assert len(installed) > 4 and set(tested) == installed | {"Redis 7.0"}


def _named(page: str) -> set[str]:
    return set(re.findall(r"`(\w+)(?:=[^`]*| = false)?`", (DOCS / page).read_text()))


def test_the_way_from_launchdarklys_python_sdk_names_every_option() -> None:
    assert set(OPTIONS) - _named("migration/python.md") == set()


def test_the_way_from_launchdarklys_dotnet_sdk_names_every_option() -> None:
    table = (ROOT / "bindings" / "dotnet" / "src" / "Flagstone" / "OptionTable.cs").read_text()
    names = re.findall(r'^        \("([a-z0-9_.]+)", ', table, re.M)
    properties = {"".join(word[0].upper() + word[1:] for word in re.split(r"[._]", name)) for name in names}
    assert len(properties) == len(OPTIONS)
    assert properties - _named("migration/dotnet.md") == set()


def test_every_parameter_of_launchdarklys_config_is_in_the_table() -> None:
    # As `launchdarkly-server-sdk` 9.20.0 has them.
    theirs = (
        "sdk_key base_uri events_uri events_max_pending flush_interval stream_uri stream initial_reconnect_delay "
        "defaults send_events update_processor_class poll_interval use_ldd feature_store feature_requester_class "
        "event_processor_class private_attributes all_attributes_private offline context_keys_capacity "
        "context_keys_flush_interval diagnostic_opt_out diagnostic_recording_interval wrapper_name wrapper_version http "
        "big_segments application hooks plugins enable_event_compression omit_anonymous_contexts payload_filter_key "
        "datasystem_config "
    )
    assert _missing(theirs, _first_cells("python.md")) == []


def _first_cells(page: str) -> str:
    return " ".join(cells[0] for cells in rows(DOCS / "migration" / page, 2))


def _missing(names: str, text: str) -> list[str]:
    return [name for name in names.split() if not re.search(rf"\b{name}\b", text)]


def test_every_call_of_launchdarklys_client_for_python_is_in_the_table() -> None:
    # Of `LDClient`, `Context`, `FeatureFlagsState` and what tells of status, as `launchdarkly-server-sdk` 9.20.0 has them.
    theirs = (
        "postfork get_sdk_key close track_migration_op track identify is_offline is_initialized flush variation "
        "variation_detail migration_variation all_flags_state secure_mode_hash add_hook big_segment_store_status_provider "
        "data_source_status_provider data_store_status_provider flag_tracker add_listener remove_listener "
        "add_flag_value_change_listener is_monitoring_enabled get_flag_reason get_flag_value to_json_dict to_json_string "
        "to_values_map valid anonymous builder builder_from_context create create_multi custom_attributes error from_dict "
        "fully_qualified_key get get_individual_context individual_context_count key kind multi_builder multiple name "
        "private_attributes to_dict without_anonymous_contexts max_connections auto_update poll_interval force_polling "
    )
    assert _missing(theirs, _first_cells("python.md")) == []


def test_every_call_and_builder_of_launchdarklys_sdk_for_dotnet_is_in_the_table() -> None:
    # Of `ILdClient`, its extensions, and the builders, as `LaunchDarkly.ServerSdk` 8.16.0 has them.
    theirs = (
        "BigSegmentStoreStatusProvider DataSourceStatusProvider DataStoreStatusProvider FlagTracker Initialized "
        "BoolVariation IntVariation FloatVariation DoubleVariation StringVariation JsonVariation EnumVariation "
        "BoolVariationDetail EnumVariationDetail MigrationVariation Identify Track TrackMigration AllFlagsState "
        "SecureModeHash Flush FlushAndWait FlushAndWaitAsync GetLogger IsOffline StatusMonitoringEnabled "
        "BigSegments DataSource DataStore DiagnosticOptOut Events Http Logging Hooks Plugins Offline SdkKey "
        "ServiceEndpoints StartWaitTime "
        "ApplicationInfo WrapperInfo DataSystem ConnectTimeout CustomHeader MessageHandler Proxy ReadTimeout "
        "ResponseStartTimeout Wrapper NoCaching CacheTime CacheMillis CacheSeconds CacheMaximumEntries CacheForever "
        "FilePaths Parser FileReader AutoUpdate DuplicateKeysHandling SkipMissingPaths AllAttributesPrivate Capacity "
        "DiagnosticRecordingInterval FlushInterval PrivateAttributes ContextKeysCapacity ContextKeysFlushInterval "
        "RedisConfiguration HostAndPort EndPoint Uri EndPoints DatabaseIndex OperationTimeout Prefix RedisConfigChanges "
        "Connection Streaming Polling RelayProxy BaseLoggerName Adapter Level LogDataSourceOutageAsErrorAfter "
        "ContextCacheSize ContextCacheTime StatusPollInterval StaleAfter InitialReconnectDelay PollInterval "
        "ApplicationId ApplicationName ApplicationVersion ApplicationVersionName "
    )
    assert _missing(theirs, _first_cells("dotnet.md")) == []


def test_launchdarklys_sdk_for_python_is_the_version_that_is_tested_beside() -> None:
    groups = (ROOT / "bindings" / "python" / "pyproject.toml").read_text()
    (tested,) = re.findall(r'^peers = .*"launchdarkly-server-sdk\[redis\]==([0-9.]+)"', groups, re.M)
    for page in ("migration/python.md", "comparison.md"):
        assert set(re.findall(r"`launchdarkly-server-sdk` ([0-9.]+)", (DOCS / page).read_text())) == {tested}, page


def test_metrics_that_are_named_exist_and_all_that_exist_are_named() -> None:
    made = set(re.findall(r'"(flagstone_[a-z_]+)"', (ROOT / "src" / "client" / "metrics.rs").read_text()))
    assert len(made) > 15
    listed = {
        name
        for cells in rows(DOCS / "operations" / "metrics.md", 4)
        for name in re.findall(r"`(flagstone_[a-z_]+)", cells[0])
    }
    assert listed == made
    rules = yaml.safe_load((DOCS / "operations" / "flagstone.rules.yml").read_text())["groups"][0]["rules"]
    for rule in rules:
        assert set(re.findall(r"\bflagstone_[a-z_]+", rule["expr"])) <= made, rule
        assert rule["annotations"]["summary"] and rule["labels"]["severity"] in ("warning", "critical")
    alerts = [
        cells[0].strip("`") for cells in rows(DOCS / "operations" / "metrics.md", 3) if cells[0].startswith("`Flagstone")
    ]
    assert alerts == [rule["alert"] for rule in rules]
    page = (DOCS / "scale.md").read_text()
    assert set(re.findall(r"`(flagstone_[a-z_]+)`", page)) - made <= {"flagstone_client_metrics_text"}


@pytest.mark.parametrize(
    "source",
    ["bindings/python/src/flagstone/otel.py", "bindings/dotnet/src/Flagstone/ClientInstruments.cs"],
    ids=["Python", ".NET"],
)
def test_each_metric_has_the_name_in_opentelemetry_that_the_table_gives(source: str) -> None:
    found = re.findall(r'\("([a-z_.]+)", "[^"]+", "(flagstone_[a-z_]+)"', (ROOT / source).read_text())
    # Python's parser leaves the end of a counter's name out.
    instruments = {metric.removesuffix("_total"): name for name, metric in found}
    listed: dict[str, str] = {}
    for cells in rows(DOCS / "operations" / "metrics.md", 4):
        metrics, names = (re.findall(r"`([a-z_.]+)", cells[number]) for number in (0, 1))
        assert len(metrics) == len(names), cells
        listed.update(zip((metric.removesuffix("_total") for metric in metrics), names))
    assert listed == instruments


def test_labels_in_alerts_are_those_of_the_metrics() -> None:
    text = (DOCS / "operations" / "flagstone.rules.yml").read_text()
    made = (ROOT / "src" / "client" / "metrics.rs").read_text()
    states = set(re.findall(r'=> "([A-Za-z]+)"', (ROOT / "src" / "store" / "status.rs").read_text()))
    for name, label, values in re.findall(r'(flagstone_[a-z_]+)\{(\w+)=~?"([^"]+)"\}', text):
        assert re.search(rf'page\.states\(\s*"{name}",\s*"{label}",', made), f"{name}{{{label}}}"
        assert set(values.split("|")) <= states


_UNITS = {"kB": 1 << 10, "MB": 1 << 20}


def _number(text: str) -> int:
    """A constant as Rust writes it."""
    text = re.sub(r"Duration::from_secs\((.*)\)", r"\1", text).replace("_", "")
    assert re.fullmatch(r"[0-9a-fx<+* ]+", text), text
    return int(eval(text))


def test_limits_are_those_of_the_constants() -> None:
    table = rows(DOCS / "limits.md", 5)
    assert len(table) > 25
    for _, value, _, stops, where in table:
        name, file = re.findall(r"`([^`]+)`", where)
        found = re.search(rf"const {name}: [\w:]+ = ([^;]+);", (ROOT / file).read_text())
        assert found, f"{name} is not in {file}"
        number, _, unit = value.partition(" ")
        assert int(number) * _UNITS.get(unit, 1) == _number(found[1]), f"{name} in {file}: {found[1]}"
        assert stops


def test_the_composition_of_containers_is_well_formed_and_refers_to_what_is_there() -> None:
    folder = ROOT / "examples" / "compose"
    composition = yaml.safe_load((folder / "compose.yaml").read_text())
    services = composition["services"]
    assert set(services) == {"redis", "relay", "python", "dotnet", "cpp"}
    for name, service in services.items():
        assert ("image" in service) != ("build" in service), name
        for other in service.get("depends_on", {}):
            assert "healthcheck" in services[other]
        if "build" in service:
            context = (folder / service["build"]["context"]).resolve()
            assert context == ROOT
            _check_dockerfile(context / service["build"]["dockerfile"])
            settings = {**service.get("environment", {}), "command": service.get("command")}
            assert "redis://redis:6379" in str(settings) and "shop" in str(settings), name
    assert services["relay"]["environment"]["LD_PREFIX_shop"] == "shop"


def test_services_of_the_composition_read_the_settings_that_they_are_given() -> None:
    examples = ROOT / "examples"
    services = yaml.safe_load((examples / "compose" / "compose.yaml").read_text())["services"]
    for name in services["python"]["environment"]:
        assert f'os.environ.get("{name}"' in (examples / "python" / "flask_app.py").read_text(), name
    (section,) = re.findall(
        r'AddFlagstone\(builder\.Configuration\.GetSection\("(\w+)"\)', (examples / "dotnet" / "Program.cs").read_text()
    )
    settings = [name for name in services["dotnet"]["environment"] if not name.startswith("ASPNETCORE_")]
    assert {f"{section}__Redis__Url", f"{section}__Redis__Prefix"} == set(settings)


def _check_dockerfile(path: object) -> None:
    with open(str(path)) as file:
        text = file.read()
    assert re.findall(r"^FROM ", text, re.M)
    stages = set(re.findall(r"^FROM \S+ AS (\w+)$", text, re.M))
    for source in re.findall(r"^COPY --from=(\w+) ", text, re.M):
        assert source in stages
    for name in re.findall(r"(?:^COPY |[ =])((?:examples|bindings|tools)/[\w./-]*\w)", text, re.M):
        assert (ROOT / name).exists(), name
    for module, name in re.findall(r'"(\w+):(\w+)"', text):
        assert re.search(rf"^{name} = ", (ROOT / "examples" / "python" / f"{module}.py").read_text(), re.M), module
