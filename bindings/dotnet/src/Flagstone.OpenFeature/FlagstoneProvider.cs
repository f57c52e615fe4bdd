// The provider: OpenFeature's calls on a client.
using System;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using OpenFeature;
using OpenFeature.Model;

namespace Flagstone.OpenFeature;

/// <summary>Evaluates OpenFeature's flags with Flagstone.</summary>
/// <remarks>
/// <para>
/// Made of <see cref="FlagstoneOptions"/>, it has a client of its own, which ends with it: after <see cref="ShutdownAsync"/> a new
/// provider is needed. Made of a client, it leaves that to its owner.
/// </para>
/// <para>
/// READY: the flags are known to be true. STALE: Redis or LaunchDarkly is away, the last known flags answer. ERROR: nothing could be
/// read within the time for the start, which heals by itself, or the data source has failed for good; evaluation goes on with what is
/// held in both.
/// </para>
/// </remarks>
public sealed partial class FlagstoneProvider : FeatureProvider
{
    internal const string Name = "flagstone";

    private static readonly TimeSpan s_startTimeout = TimeSpan.FromSeconds(5);

    private readonly bool _owns;
    private readonly TimeSpan _startTimeout;
    private readonly ContextMapper _contexts;
    private readonly ILogger _logger;
    private readonly ProviderEvents _events;

    /// <summary>Makes a provider with a client of its own.</summary>
    /// <param name="options">The options of the client; its logger factory is the provider's, too.</param>
    /// <param name="startTimeout">How long the initialization waits for flags. Default: 5 s.</param>
    /// <exception cref="ArgumentException">As of <see cref="FlagstoneClient(FlagstoneOptions)"/>.</exception>
    public FlagstoneProvider(FlagstoneOptions options, TimeSpan? startTimeout = null)
        : this(new FlagstoneClient(options), startTimeout, options?.LoggerFactory, owns: true)
    {
    }

    /// <summary>Makes a provider on somebody else's client, which may have been started.</summary>
    /// <param name="client">The client.</param>
    /// <param name="startTimeout">How long the initialization waits for flags. Default: 5 s.</param>
    /// <param name="loggerFactory">Makes the logger <c>Flagstone.OpenFeature</c>. Default: none.</param>
    public FlagstoneProvider(IFlagstoneClient client, TimeSpan? startTimeout = null, ILoggerFactory? loggerFactory = null)
        : this(client ?? throw new ArgumentNullException(nameof(client)), startTimeout, loggerFactory, owns: false)
    {
    }

    private FlagstoneProvider(IFlagstoneClient client, TimeSpan? startTimeout, ILoggerFactory? loggerFactory, bool owns)
    {
        Client = client;
        _owns = owns;
        _startTimeout = startTimeout ?? s_startTimeout;
        _logger = loggerFactory?.CreateLogger("Flagstone.OpenFeature") ?? NullLogger.Instance;
        _contexts = new ContextMapper(_logger);
        _events = new ProviderEvents(client, EventChannel.Writer);
    }

    /// <summary>The client behind it, for what OpenFeature has no words for.</summary>
    public IFlagstoneClient Client { get; }

    /// <inheritdoc/>
    public override Metadata GetMetadata() => new(Name);

    /// <summary>Starts the client and waits until there are flags.</summary>
    /// <param name="context">Not asked.</param>
    /// <param name="cancellationToken">Ends the wait; the client goes on trying.</param>
    /// <returns>A task that ends when there are flags.</returns>
    /// <exception cref="global::OpenFeature.Error.ProviderNotReadyException">
    /// There were none in time. The client goes on trying; READY follows.
    /// </exception>
    public override async Task InitializeAsync(EvaluationContext context, CancellationToken cancellationToken = default)
    {
        bool isReady = await Client.StartAsync(_startTimeout, cancellationToken).ConfigureAwait(false);
        _events.Begin(isReady);
        if (!isReady)
        {
            throw new global::OpenFeature.Error.ProviderNotReadyException(
                FormattableString.Invariant($"no flags within {_startTimeout.TotalSeconds} s: {_events.Why()}"));
        }
    }

    /// <summary>Ends the provider's own client. May be called again.</summary>
    /// <param name="cancellationToken">Not asked: it takes 2 s at most.</param>
    /// <returns>A task that ends when the client is closed.</returns>
    public override async Task ShutdownAsync(CancellationToken cancellationToken = default)
    {
        _events.End();
        if (_owns)
        {
            await Client.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Tells LaunchDarkly: the value is the metric, attributes are the data. Without a context nothing is told, and that is logged.
    /// </summary>
    /// <param name="trackingEventName">What happened.</param>
    /// <param name="evaluationContext">To whom.</param>
    /// <param name="trackingEventDetails">Details.</param>
    public override void Track(
        string trackingEventName, EvaluationContext? evaluationContext = default, TrackingEventDetails? trackingEventDetails = default)
    {
        using Context? context = _contexts.Of(evaluationContext);
        if (context is null)
        {
            ProviderLog.NotTracked(_logger, trackingEventName);
            return;
        }
        JsonElement data = trackingEventDetails is { Count: > 0 } details
            ? JsonForm.Of(new Value(new Structure(details.AsDictionary().ToDictionary(pair => pair.Key, pair => pair.Value))))
            : default;
        if (trackingEventDetails?.Value is double metric)
        {
            Client.Track(trackingEventName, context, data, metric);
        }
        else
        {
            Client.Track(trackingEventName, context, data);
        }
    }
}
