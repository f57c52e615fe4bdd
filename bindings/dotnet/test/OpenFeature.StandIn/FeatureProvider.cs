// What providers derive from, and what they throw.
using System;
using System.Collections.Immutable;
using System.Threading;
using System.Threading.Channels;
using System.Threading.Tasks;
using OpenFeature.Constant;
using OpenFeature.Model;

namespace OpenFeature
{
    public abstract class Hook
    {
    }

    public abstract class FeatureProvider
    {
        protected readonly Channel<object> EventChannel = Channel.CreateBounded<object>(1);

        internal ProviderStatus Status { get; set; } = ProviderStatus.NotReady;

        public virtual IImmutableList<Hook> GetProviderHooks() => [];

        public abstract Metadata GetMetadata();

        public abstract Task<ResolutionDetails<bool>> ResolveBooleanValueAsync(
            string flagKey, bool defaultValue, EvaluationContext? context = null, CancellationToken cancellationToken = default);

        public abstract Task<ResolutionDetails<string>> ResolveStringValueAsync(
            string flagKey, string defaultValue, EvaluationContext? context = null, CancellationToken cancellationToken = default);

        public abstract Task<ResolutionDetails<int>> ResolveIntegerValueAsync(
            string flagKey, int defaultValue, EvaluationContext? context = null, CancellationToken cancellationToken = default);

        public abstract Task<ResolutionDetails<double>> ResolveDoubleValueAsync(
            string flagKey, double defaultValue, EvaluationContext? context = null, CancellationToken cancellationToken = default);

        public abstract Task<ResolutionDetails<Value>> ResolveStructureValueAsync(
            string flagKey, Value defaultValue, EvaluationContext? context = null, CancellationToken cancellationToken = default);

        public virtual Task InitializeAsync(EvaluationContext context, CancellationToken cancellationToken = default) => Task.CompletedTask;

        public virtual Task ShutdownAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

        public virtual Channel<object> GetEventChannel() => EventChannel;

        public virtual void Track(
            string trackingEventName, EvaluationContext? evaluationContext = default, TrackingEventDetails? trackingEventDetails = default)
        {
        }
    }
}

namespace OpenFeature.Error
{
    public class FeatureProviderException(ErrorType errorType, string? message = null, Exception? innerException = null)
        : Exception(message, innerException)
    {
        public ErrorType ErrorType { get; } = errorType;
    }

    public class ProviderNotReadyException(string? message = null, Exception? innerException = null)
        : FeatureProviderException(ErrorType.ProviderNotReady, message, innerException);
}
