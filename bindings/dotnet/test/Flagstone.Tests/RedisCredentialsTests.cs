// Credentials that change while a client lives: against a Redis with a user whose password is another one again and again.
using System;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Flagstone.Tests;

public sealed class RedisCredentialsTests(RedisServer server) : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly TestEnvironment _environment = new(server);

    public void Dispose() => _environment.Dispose();

    [Fact]
    public async Task Flags_keep_coming_while_the_password_is_another_one_again_and_again()
    {
        Tokens tokens = new(server);
        _environment.Write(Flags.Number("a", 1, 1));
        FlagstoneClient client = await StartAsync(_environment, tokens.ProvideAsync);
        for (int version = 2; version < 6; version++)
        {
            tokens.Rotate();
            await EditedAsync(_environment, client, version);
        }
        Assert.True(tokens.Calls >= 5);
        Assert.True(await Eventually.IsTrueAsync(() => client.GetStatus().Redis!.Credentials!.State == "ok"));
        RedisCredentialsStatus login = client.GetStatus().Redis!.Credentials!;
        Assert.Equal(("host", tokens.User), (login.Source, login.User));
        Assert.DoesNotContain(tokens.Password, client.GetStatus().ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task New_credentials_are_asked_for_before_the_old_ones_expire()
    {
        Tokens tokens = new(server) { ValidFor = TimeSpan.FromSeconds(1) };
        _environment.Write(Flags.Number("a", 1, 1));
        FlagstoneClient client = await StartAsync(_environment, tokens.ProvideAsync);
        Assert.True(await Eventually.IsTrueAsync(() => tokens.Calls >= 3));
        Assert.InRange(client.GetStatus().Redis!.Credentials!.ExpiresIn!.Value, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        await EditedAsync(_environment, client, 2);
    }

    [Fact]
    public async Task A_token_that_expires_while_redis_is_away_heals()
    {
        using RedisServer own = new();
        using TestEnvironment environment = new(own);
        Tokens tokens = new(own);
        environment.Write(Flags.Number("a", 1, 1));
        FlagstoneClient client = await StartAsync(environment, tokens.ProvideAsync);
        own.Kill();
        Assert.True(await Eventually.IsTrueAsync(() => client.StoreStatus.StaleSince is not null));
        tokens.Rotate(apply: false);
        own.Start();
        // The old password is as unknown as the user.
        tokens.Apply();
        Assert.Equal(1, client.IntVariation("a", Context.New("u"), -1));
        await EditedAsync(environment, client, 2);
    }

    [Fact]
    public async Task A_start_waits_for_a_provider_that_fails_at_first()
    {
        Tokens tokens = new(server);
        _environment.Write(Flags.Number("a", 1, 1));
        int calls = 0;
        ListLogger logger = new();
        FlagstoneClient client = await StartAsync(
            _environment,
            token => Interlocked.Increment(ref calls) switch
            {
                1 => throw new InvalidOperationException("vault is sealed"),
                2 => new(new RedisCredentials(tokens.User, "geheim")),
                _ => tokens.ProvideAsync(token),
            },
            logger);
        Assert.Equal(1, client.IntVariation("a", Context.New("u"), -1));
        Assert.Single(logger.Lines, line => line.Error is InvalidOperationException);
        Assert.DoesNotContain(
            logger.Lines,
            line => line.Text.Contains("geheim", StringComparison.Ordinal) || line.Text.Contains(tokens.Password, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_provider_that_hangs_holds_back_neither_handlers_nor_log_lines()
    {
        Tokens tokens = new(server) { ValidFor = TimeSpan.FromSeconds(0.5) };
        _environment.Write(Flags.Number("a", 1, 1));
        using ManualResetEventSlim hangs = new(), go = new();
        ListLogger logger = new();
        FlagstoneClient client = await StartAsync(
            _environment,
            token =>
            {
                if (tokens.Calls > 0)
                {
                    hangs.Set();
                    // On its own thread, without heed of its token.
                    Assert.True(go.Wait(4 * s_patience, CancellationToken.None));
                }
                return tokens.ProvideAsync(token);
            },
            logger);
        int heard = 0;
        client.FlagChanged += (_, _) => Interlocked.Increment(ref heard);
        Assert.True(await Eventually.IsTrueAsync(() => hangs.IsSet));
        // What is connected stays so.
        await EditedAsync(_environment, client, 2);
        Assert.True(await Eventually.IsTrueAsync(() => Volatile.Read(ref heard) > 0));
        int lines = logger.Lines.Count;
        tokens.Rotate();
        Assert.True(await Eventually.IsTrueAsync(() => logger.Lines.Count > lines));
        Assert.Equal(2, client.IntVariation("a", Context.New("u"), -1));
        go.Set();
        await EditedAsync(_environment, client, 3);
    }

    [Fact]
    public async Task Credentials_are_set_by_hand_before_the_start_and_later()
    {
        Tokens tokens = new(server);
        foreach (RedisCredentialsSource source in (RedisCredentialsSource[])[RedisCredentialsSource.Host, RedisCredentialsSource.Static])
        {
            using TestEnvironment environment = new(server);
            environment.Write(Flags.Number("a", 1, 1));
            FlagstoneClient client = new(environment.Options(options =>
            {
                Quick(options);
                options.RedisCredentials = source;
            }));
            client.SetRedisCredentials(tokens.Provide());
            Assert.True(await client.StartAsync(s_patience));
            tokens.Rotate();
            client.SetRedisCredentials(tokens.Provide());
            await EditedAsync(environment, client, 2);
            Assert.Throws<ArgumentNullException>(() => client.SetRedisCredentials(null!));
            ArgumentException refused = Assert.Throws<ArgumentException>(
                () => client.SetRedisCredentials(new RedisCredentials("geheim\ud800", "geheim")));
            Assert.DoesNotContain("geheim", refused.Message, StringComparison.Ordinal);
            Assert.Throws<ArgumentException>(() => client.SetRedisCredentials(new RedisCredentials(null, "gehe\0im")));
            client.Dispose();
            Assert.Throws<ObjectDisposedException>(() => client.SetRedisCredentials(tokens.Provide()));
        }
        using TestData data = new();
        using FlagstoneClient memory = new(new FlagstoneOptions { TestData = data });
        Assert.Throws<ArgumentException>(() => memory.SetRedisCredentials(tokens.Provide()));
    }

    [Fact]
    public async Task A_password_file_that_changes_is_read_again()
    {
        Tokens tokens = new(server);
        _environment.Write(Flags.Number("a", 1, 1));
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, tokens.Password + "\n");
            FlagstoneClient client = await _environment.StartAsync(options =>
            {
                Quick(options);
                options.RedisUsername = tokens.User;
                options.RedisPasswordFile = file;
            });
            Assert.Equal("file", client.GetStatus().Redis!.Credentials!.Source);
            tokens.Rotate(apply: false);
            File.WriteAllText(file, tokens.Password);
            tokens.Apply();
            await EditedAsync(_environment, client, 2);
            Assert.Throws<ArgumentException>(() => client.SetRedisCredentials(tokens.Provide()));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task A_client_is_disposed_of_while_its_provider_runs()
    {
        TaskCompletionSource<CancellationToken> called = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource<RedisCredentials> never = new();
        FlagstoneClient client = new(_environment.Options(options => options.RedisCredentialsProvider = token =>
        {
            called.TrySetResult(token);
            return new(never.Task);
        }));
        Task<bool> start = client.StartAsync(s_patience);
        CancellationToken token = await called.Task.WaitAsync(s_patience);
        await client.DisposeAsync().AsTask().WaitAsync(s_patience);
        Assert.True(await Eventually.IsTrueAsync(() => token.IsCancellationRequested));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => start);
        never.SetResult(new RedisCredentials(null, "late"));
    }

    [Fact]
    public async Task A_forgotten_client_goes_away_although_its_provider_knows_it()
    {
        WeakReference client = Forget(_environment);
        Assert.True(await Eventually.IsTrueAsync(() =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return !client.IsAlive;
        }));

        // A method of its own: its locals are gone when it has ended.
        [MethodImpl(MethodImplOptions.NoInlining)]
        static WeakReference Forget(TestEnvironment environment)
        {
            FlagstoneClient? known = null;
            known = new FlagstoneClient(environment.Options(options => options.RedisCredentialsProvider = _ =>
                throw new InvalidOperationException(known!.State.ToString())));
            Assert.False(known.Start(TimeSpan.FromMilliseconds(100)));
            return new WeakReference(known);
        }
    }

    private static Task<FlagstoneClient> StartAsync(
        TestEnvironment environment, Func<CancellationToken, ValueTask<RedisCredentials>> provider, ILoggerFactory? logger = null) =>
        environment.StartAsync(options =>
        {
            Quick(options);
            options.RedisCredentialsProvider = provider;
            options.LoggerFactory = logger;
            options.LogLevel = logger is null ? null : LogLevel.Debug;
        });

    /// <summary>Redis is looked for again soon.</summary>
    private static void Quick(FlagstoneOptions options)
    {
        options.RefreshIntervalMs = 500;
        options.RedisPingMs = 200;
    }

    /// <summary>An edit arrives; the flag is never its default meanwhile.</summary>
    private static async Task EditedAsync(TestEnvironment environment, FlagstoneClient client, int version)
    {
        environment.Write(Flags.Number("a", version, version));
        Assert.True(await Eventually.IsTrueAsync(() =>
        {
            int value = client.IntVariation("a", Context.New("u"), -1);
            Assert.NotEqual(-1, value);
            return value == version;
        }));
    }

    /// <summary>Who gives out passwords for a user of a Redis: one at a time is good.</summary>
    private sealed class Tokens
    {
        private readonly RedisServer _server;
        private int _calls;

        internal Tokens(RedisServer server)
        {
            _server = server;
            Rotate();
        }

        internal string User { get; } = "svc-" + RandomNumberGenerator.GetHexString(12);

        internal string Password { get; private set; } = "";

        internal TimeSpan? ValidFor { get; init; }

        internal int Calls => Volatile.Read(ref _calls);

        /// <summary>Another password is good from now on, and whoever has logged in by the old one is cut off.</summary>
        internal void Rotate(bool apply = true)
        {
            Password = RandomNumberGenerator.GetHexString(16);
            if (apply)
            {
                Apply();
            }
        }

        internal void Apply()
        {
            _server.Command("ACL", "SETUSER", User, "reset", "on", $">{Password}", "~*", "&*", "+@all");
            try
            {
                _server.Command("CLIENT", "KILL", "USER", User);
            }
            catch (IOException error) when (error.Message.Contains("No such client", StringComparison.Ordinal))
            {
                // Nobody has logged in.
            }
        }

        internal RedisCredentials Provide()
        {
            Interlocked.Increment(ref _calls);
            return new RedisCredentials(User, Password, ValidFor);
        }

        internal async ValueTask<RedisCredentials> ProvideAsync(CancellationToken cancellationToken)
        {
            await Task.Delay(1, cancellationToken);
            return Provide();
        }
    }
}
