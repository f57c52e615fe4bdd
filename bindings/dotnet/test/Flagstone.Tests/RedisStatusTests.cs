// Where Redis is, who logs in and how it tells of changes, as the status says it.
using System;
using System.Linq;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

public sealed class RedisStatusTests(RedisServer server)
{
    private const string Sentinel = """
        {"topology": "sentinel", "address": "10.0.0.1:6379", "database": 2, "role": "primary", "service": "main",
         "sentinels": [{"address": "s1:26379", "error": null}, {"address": "s2:26379", "error": "it is a data node"}],
         "asked": "s1:26379",
         "credentials": {"source": "host", "user": "svc", "expires_in_ms": 512300, "state": "refused", "error": "WRONGPASS"}}
        """;

    private const string Cluster = """
        {"topology": "cluster", "address": null, "database": 0, "credentials": null,
         "nodes": [{"address": "n1:7000", "holds": ["features", "$inited"], "role": "primary"},
                   {"address": "n2:7001", "holds": ["segments"], "role": "replica"}]}
        """;

    private const string Watch = """
        {"rung": "RESP3 broadcast tracking", "reason": "the server has no hash-field notifications",
         "ladder": [{"rung": "hash-field notifications", "state": "refused", "reason": "ERR unknown flag"},
                    {"rung": "RESP3 broadcast tracking", "state": "in force", "reason": null}]}
        """;

    [Fact]
    public void A_status_tells_sentinels_and_credentials()
    {
        RedisStatus redis = Parse($$"""{"redis": {{Sentinel}}}""").Redis!;
        Assert.Equal(("sentinel", "10.0.0.1:6379", 2), (redis.Topology, redis.Address, redis.Database));
        Assert.Equal(("primary", "main", "s1:26379"), (redis.Role, redis.Service, redis.AskedSentinel));
        Assert.Equal(
            [("s1:26379", null), ("s2:26379", "it is a data node")],
            redis.Sentinels.Select(sentinel => (sentinel.Address, sentinel.Error)));
        Assert.Empty(redis.Nodes);
        RedisCredentialsStatus login = redis.Credentials!;
        Assert.Equal(("host", "svc", "refused", "WRONGPASS"), (login.Source, login.User, login.State, login.Error));
        Assert.Equal(TimeSpan.FromMilliseconds(512_300), login.ExpiresIn);
        Assert.Equal(
            "sentinel main at primary 10.0.0.1:6379, database 2; sentinels s1:26379, s2:26379: it is a data node; "
                + "credentials (host) of svc: refused, expire in 512 s (WRONGPASS)",
            redis.ToString());
    }

    [Fact]
    public void A_status_tells_the_nodes_of_a_cluster()
    {
        RedisStatus redis = Parse($$"""{"redis": {{Cluster}}}""").Redis!;
        Assert.Equal((null, null), (redis.Address, redis.Credentials));
        Assert.Equal([("n1:7000", "primary"), ("n2:7001", "replica")], redis.Nodes.Select(node => (node.Address, node.Role)));
        Assert.Equal(["features", "$inited"], redis.Nodes[0].Holds);
        Assert.Equal(
            "cluster at n1:7000 (primary, features, $inited), n2:7001 (replica, segments), database 0", redis.ToString());
    }

    [Fact]
    public void A_status_tells_how_redis_tells_of_changes()
    {
        WatchStatus watch = Parse($$"""{"watch": {{Watch}}}""").Watch!;
        Assert.Equal(
            ("RESP3 broadcast tracking", "the server has no hash-field notifications"), (watch.Rung, watch.Reason));
        Assert.Equal(
            [("hash-field notifications", "refused", "ERR unknown flag"), ("RESP3 broadcast tracking", "in force", null)],
            watch.Ladder.Select(rung => (rung.Rung, rung.State, rung.Reason)));
        Assert.Equal("RESP3 broadcast tracking (the server has no hash-field notifications)", watch.ToString());
        Assert.Equal("hash-field notifications: refused (ERR unknown flag)", watch.Ladder[0].ToString());
        Assert.Equal("RESP3 broadcast tracking: in force", watch.Ladder[1].ToString());
    }

    [Fact]
    public void A_status_is_one_line_for_people()
    {
        const string Start = """{"state": "VALID", "flags": 3, "freshness": "push", "freshness_reason": "told" """;
        Assert.Equal(
            "Valid; 3 flags; freshness push by RESP3 broadcast tracking (the server has no hash-field notifications); Redis "
                + "cluster at n1:7000 (primary, features, $inited), n2:7001 (replica, segments), database 0; last error: it was cut",
            Parse($$"""{{Start}}, "redis": {{Cluster}}, "watch": {{Watch}}, "last_error": "it was cut"}""").ToString());
        // Of a library that tells nothing of Redis.
        Assert.Equal("Valid; 3 flags; freshness push (told)", Parse(Start + "}").ToString());
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"topology": 3, "address": [], "database": "0", "role": {}, "service": 1, "sentinels": 7, "nodes": {}}""")]
    [InlineData("""{"sentinels": ["s1", null, 3], "nodes": [1], "credentials": "none", "further": {"a": 1}}""")]
    public void What_a_library_says_otherwise_counts_as_not_set(string form)
    {
        FlagstoneStatus status = Parse($$"""{"redis": {{form}}, "watch": {"rung": 3, "more": 1, "ladder": [[]]} }""");
        RedisStatus redis = status.Redis!;
        Assert.Equal(("", null, 0, null), (redis.Topology, redis.Address, redis.Database, redis.Role));
        Assert.Equal((0, 0, null), (redis.Sentinels.Count, redis.Nodes.Count, redis.Credentials));
        Assert.Equal((null, null, 0), (status.Watch!.Rung, status.Watch.Reason, status.Watch.Ladder.Count));
        Assert.EndsWith("by nothing; Redis at an address that is not known, database 0", status.ToString(), StringComparison.Ordinal);
        Assert.Null(Parse("""{"redis": null, "watch": []}""").Redis);
        Assert.Null(Parse("""{"redis": 3, "watch": "no"}""").Watch);
    }

    [Fact]
    public void Members_that_are_objects_may_be_empty_and_words_that_are_new_stand_as_they_are()
    {
        RedisStatus empty = Parse(
            """{"redis": {"sentinels": [{}, {"listed": false}], "nodes": [{"holds": [3]}], "credentials": {}}}""").Redis!;
        Assert.Equal([true, false], empty.Sentinels.Select(sentinel => sentinel.IsListed));
        Assert.Equal(("", null), (empty.Sentinels[0].Address, empty.Sentinels[0].Error));
        Assert.Equal(("", null, 0), (empty.Nodes[0].Address, empty.Nodes[0].Role, empty.Nodes[0].Holds.Count));
        Assert.Equal(("", null, null, ""), (empty.Credentials!.Source, empty.Credentials.User, empty.Credentials.ExpiresIn, empty.Credentials.State));
        Assert.Equal("credentials () of the default user: ", empty.Credentials.ToString());
        FlagstoneStatus status = Parse(
            """{"redis": {"topology": "mesh", "credentials": {"state": "late", "expires_in_ms": 9e18}}, "watch": {"rung": "dreams"}}""");
        Assert.Equal(("mesh", "late", "dreams"), (status.Redis!.Topology, status.Redis.Credentials!.State, status.Watch!.Rung));
    }

    [Fact]
    public async Task A_client_tells_where_its_redis_is()
    {
        using TestEnvironment environment = new(server);
        environment.Write(Flags.Bool("a", 1, true));
        FlagstoneClient client = await environment.StartAsync();
        RedisStatus redis = client.GetStatus().Redis!;
        Assert.Equal(("standalone", $"127.0.0.1:{server.Port}", 0), (redis.Topology, redis.Address, redis.Database));
        Assert.Contains($"Redis standalone at 127.0.0.1:{server.Port}", client.GetStatus().ToString(), StringComparison.Ordinal);
        using TestData data = new();
        using FlagstoneClient memory = new(new FlagstoneOptions { TestData = data });
        Assert.Null(memory.GetStatus().Redis);
    }

    [Fact]
    public async Task A_client_tells_its_sentinels_and_which_are_of_no_use()
    {
        using TestEnvironment environment = new(server);
        environment.Write(Flags.Bool("a", 1, true));
        using SentinelServer sentinel = new("main", server.Port);
        int away = RedisServer.FreePort();
        using FlagstoneClient client = new(environment.Options(options => options.RedisUrl =
            $"redis+sentinel://127.0.0.1:{sentinel.Port},127.0.0.1:{away}/main/0?read=prefer-replica"));
        Assert.True(await client.StartAsync(TimeSpan.FromSeconds(60)), client.GetStatus().ToString());
        RedisStatus redis = client.GetStatus().Redis!;
        Assert.Equal(("sentinel", "main", "primary"), (redis.Topology, redis.Service, redis.Role));
        Assert.Equal(
            ($"127.0.0.1:{server.Port}", $"127.0.0.1:{sentinel.Port}"), (redis.Address, redis.AskedSentinel));
        Assert.True(await Eventually.IsTrueAsync(() => client.GetStatus().Redis!.Sentinels.Any(
            each => each.Address == $"127.0.0.1:{away}" && each.Error is not null)));
    }

    private static FlagstoneStatus Parse(string json) => FlagstoneStatus.Parse(json);
}
