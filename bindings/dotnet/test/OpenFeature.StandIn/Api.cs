// As much of the API as tests of a provider need: it sets providers, tells READY and ERROR for their start, follows their events, and
// evaluates. No hooks, no domains, no merging of contexts.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Channels;
using System.Threading.Tasks;
using OpenFeature.Constant;
using OpenFeature.Error;
using OpenFeature.Model;

namespace OpenFeature;

public sealed class Api
{
    private readonly object _lock = new();
    private readonly Dictionary<ProviderEventTypes, List<EventHandlerDelegate>> _handlers = [];
    private readonly Channel<(FeatureProvider? Provider, ProviderEventPayload Payload)> _events =
        Channel.CreateBounded<(FeatureProvider?, ProviderEventPayload)>(1);

    private FeatureProvider? _provider;

    private Api() => _ = Task.Run(DeliverAsync);

    public static Api Instance { get; } = new();

    public async Task SetProviderAsync(FeatureProvider featureProvider, CancellationToken cancellationToken = default)
    {
        FeatureProvider? old;
        lock (_lock)
        {
            (old, _provider) = (_provider, featureProvider);
        }
        if (old is not null && old != featureProvider)
        {
            old.GetEventChannel().Writer.TryComplete();
            _ = old.ShutdownAsync(cancellationToken);
        }
        _ = Task.Run(() => FollowAsync(featureProvider), CancellationToken.None);
        ProviderEventPayload payload = new() { ProviderName = featureProvider.GetMetadata().Name };
        try
        {
            await featureProvider.InitializeAsync(EvaluationContext.Empty, cancellationToken).ConfigureAwait(false);
            featureProvider.Status = ProviderStatus.Ready;
            payload.Message = "Provider initialization complete";
        }
        catch (FeatureProviderException error)
        {
            featureProvider.Status = error.ErrorType == ErrorType.ProviderFatal ? ProviderStatus.Fatal : ProviderStatus.Error;
            payload.Type = ProviderEventTypes.ProviderError;
            payload.Message = $"Provider initialization error: {error.Message}";
        }
        await _events.Writer.WriteAsync((featureProvider, payload), cancellationToken).ConfigureAwait(false);
    }

    public FeatureProvider GetProvider() => _provider!;

    public FeatureClient GetClient() => new(this);

    public void AddHandler(ProviderEventTypes type, EventHandlerDelegate handler)
    {
        lock (_lock)
        {
            if (!_handlers.TryGetValue(type, out List<EventHandlerDelegate>? handlers))
            {
                _handlers[type] = handlers = [];
            }
            handlers.Add(handler);
            ProviderStatus status = type switch
            {
                ProviderEventTypes.ProviderReady => ProviderStatus.Ready,
                ProviderEventTypes.ProviderStale => ProviderStatus.Stale,
                ProviderEventTypes.ProviderError => ProviderStatus.Error,
                _ => ProviderStatus.NotReady,
            };
            if (_provider is FeatureProvider provider && status != ProviderStatus.NotReady && provider.Status == status)
            {
                handler(new ProviderEventPayload { ProviderName = provider.GetMetadata().Name, Type = type });
            }
        }
    }

    public void RemoveHandler(ProviderEventTypes type, EventHandlerDelegate handler)
    {
        lock (_lock)
        {
            if (_handlers.TryGetValue(type, out List<EventHandlerDelegate>? handlers))
            {
                handlers.Remove(handler);
            }
        }
    }

    private async Task FollowAsync(FeatureProvider provider)
    {
        ChannelReader<object> reader = provider.GetEventChannel().Reader;
        while (await reader.WaitToReadAsync().ConfigureAwait(false))
        {
            if (reader.TryRead(out object? item) && item is ProviderEventPayload payload)
            {
                provider.Status = payload.Type switch
                {
                    ProviderEventTypes.ProviderReady => ProviderStatus.Ready,
                    ProviderEventTypes.ProviderStale => ProviderStatus.Stale,
                    ProviderEventTypes.ProviderError =>
                        payload.ErrorType == ErrorType.ProviderFatal ? ProviderStatus.Fatal : ProviderStatus.Error,
                    _ => provider.Status,
                };
                await _events.Writer.WriteAsync((provider, payload)).ConfigureAwait(false);
            }
        }
    }

    private async Task DeliverAsync()
    {
        while (await _events.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            if (!_events.Reader.TryRead(out (FeatureProvider? Provider, ProviderEventPayload Payload) item))
            {
                continue;
            }
            lock (_lock)
            {
                foreach (EventHandlerDelegate handler in _handlers.TryGetValue(item.Payload.Type, out List<EventHandlerDelegate>? handlers)
                    ? handlers
                    : [])
                {
                    handler(item.Payload);
                }
            }
        }
    }
}

public sealed class FeatureClient
{
    private readonly Api _api;

    internal FeatureClient(Api api) => _api = api;

    public ProviderStatus ProviderStatus => _api.GetProvider().Status;

    public void Track(
        string trackingEventName, EvaluationContext? evaluationContext = default, TrackingEventDetails? trackingEventDetails = default) =>
        _api.GetProvider().Track(trackingEventName, evaluationContext, trackingEventDetails);

    public async Task<bool> GetBooleanValueAsync(string flagKey, bool defaultValue, EvaluationContext? context = null) =>
        (await GetBooleanDetailsAsync(flagKey, defaultValue, context).ConfigureAwait(false)).Value;

    public async Task<FlagEvaluationDetails<bool>> GetBooleanDetailsAsync(
        string flagKey, bool defaultValue, EvaluationContext? context = null) =>
        Evaluated(await _api.GetProvider().ResolveBooleanValueAsync(flagKey, defaultValue, context).ConfigureAwait(false));

    public async Task<FlagEvaluationDetails<string>> GetStringDetailsAsync(
        string flagKey, string defaultValue, EvaluationContext? context = null) =>
        Evaluated(await _api.GetProvider().ResolveStringValueAsync(flagKey, defaultValue, context).ConfigureAwait(false));

    public async Task<FlagEvaluationDetails<int>> GetIntegerDetailsAsync(
        string flagKey, int defaultValue, EvaluationContext? context = null) =>
        Evaluated(await _api.GetProvider().ResolveIntegerValueAsync(flagKey, defaultValue, context).ConfigureAwait(false));

    public async Task<FlagEvaluationDetails<double>> GetDoubleDetailsAsync(
        string flagKey, double defaultValue, EvaluationContext? context = null) =>
        Evaluated(await _api.GetProvider().ResolveDoubleValueAsync(flagKey, defaultValue, context).ConfigureAwait(false));

    public async Task<FlagEvaluationDetails<Value>> GetObjectDetailsAsync(
        string flagKey, Value defaultValue, EvaluationContext? context = null) =>
        Evaluated(await _api.GetProvider().ResolveStructureValueAsync(flagKey, defaultValue, context).ConfigureAwait(false));

    private static FlagEvaluationDetails<T> Evaluated<T>(ResolutionDetails<T> resolved) => new(
        resolved.FlagKey, resolved.Value, resolved.ErrorType, resolved.Reason, resolved.Variant, resolved.ErrorMessage, resolved.FlagMetadata);
}
